/** `hull engine`: serves the Docker Engine API until a signal. Rule: what it started goes on without it. */
import { serveApi } from '../engine/api/index.ts';
import type { CommandContext } from './commands.ts';
import { type ParsedOptions, readValue } from './options.ts';

export async function engineCommand(parsed: ParsedOptions, context: CommandContext): Promise<number> {
  const say = (line: string) => void process.stderr.write(`hull: ${line}\n`);
  // Before there is anything to take away.
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  const service = await serveApi(
    {
      hosts: parsed.values.get('host') ?? [],
      group: readValue(parsed, 'group'),
      metrics: parsed.switches.get('metrics') === true,
      tls: { ca: readValue(parsed, 'tlscacert'), cert: readValue(parsed, 'tlscert'), key: readValue(parsed, 'tlskey') },
      say,
    },
    context,
  );
  for (const host of service.hosts) say(`API listens on ${host}`);
  await asked;
  service.close();
  return 0;
}
