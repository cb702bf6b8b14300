/** `hull doctor`: exit code 0 when programs can be run, 1 when something that needs is missing. */
import { examineHost } from '../engine/doctor/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';
import { writeOut } from './write-out.ts';

export async function doctorCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const findings = await examineHost(context, readValue(parsed, 'qemu'));
  if (parsed.switches.get('json') === true) await writeOut(`${JSON.stringify(findings, null, 2)}\n`);
  else {
    const width = Math.max(...findings.map((finding) => finding.subject.length));
    await writeOut(findings.map((finding) => `${finding.state.padEnd(7)}  ${finding.subject.padEnd(width)}  ${finding.text}\n`).join(''));
  }
  return findings.some((finding) => finding.state === 'missing') ? 1 : 0;
}
