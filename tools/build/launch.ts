// Builds tools/launch/launch.c -> dist/bin/hull-launch-<isa>, a static program without a C library; dist/bin/hull-bridge-up is a script beside it,
// dist/bin/hull-bios-<isa> the boot loader of exported disks (boot/bios), and dist/bin/hull-listen-<isa>.so what is loaded into QEMU where ports are published; dist/bin/hull-become-<isa> runs in the sandbox of a build's RUN,
// dist/bin/hull-survey-<isa> tells whether a directory changed.
import { chmodSync, copyFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { mustRun } from './process.ts';
import { hashInputs, isCurrent, writeStamp } from './stamp.ts';
import type { Toolchain } from './toolchain.ts';

const FLAGS = [
  '--target=x86_64-unknown-linux-gnu',
  '-Oz',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fno-pie',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fcf-protection=none',
  '-nostdlib',
  '-static',
  '-fuse-ld=lld',
  '-Wl,--build-id=none,-z,norelro,-z,noseparate-code,-z,nognustack,-s',
];

const SHARED_FLAGS = [...FLAGS.filter((flag) => flag !== '-static' && flag !== '-fno-pie'), '-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-soname,hull-listen.so'];

const BIOS_FLAGS = [
  '--target=i386-unknown-linux-gnu',
  '-march=i686',
  '-mno-sse',
  ...FLAGS.filter((flag) => !flag.startsWith('--target') && !flag.startsWith('-Wl,')),
  '-fno-builtin',
  '-Wl,--build-id=none,-z,nognustack,-T,boot/bios/loader.lds,--oformat=binary',
];
const BIOS_SOURCES = ['boot/bios/start.S', 'boot/bios/loader.c'];

export async function buildLaunch(tools: Toolchain, isa: string): Promise<string> {
  const source = 'tools/launch/launch.c';
  const output = `dist/bin/hull-launch-${isa}`;
  const stamp = `build/stamps/launch-${isa}`;
  const script = 'tools/launch/bridge-up.sh';
  const bridgeUp = 'dist/bin/hull-bridge-up';
  const listenSource = 'tools/launch/listen.c';
  const listen = `dist/bin/hull-listen-${isa}.so`;
  const becomeSource = 'tools/launch/become.c';
  const become = `dist/bin/hull-become-${isa}`;
  const surveySource = 'tools/launch/survey.c';
  const survey = `dist/bin/hull-survey-${isa}`;
  const bios = `dist/bin/hull-bios-${isa}`;
  const inputs = [source, script, listenSource, becomeSource, surveySource, ...BIOS_SOURCES, 'boot/bios/loader.lds', 'libos/abi/boot_abi.h'];
  const hash = hashInputs([tools.version, ...SHARED_FLAGS, ...BIOS_FLAGS], inputs);
  if (!isCurrent(stamp, hash, [output, bridgeUp, listen, become, survey, bios])) {
    mkdirSync('dist/bin', { recursive: true });
    const fresh = `${output}.${process.pid}.new`;
    await mustRun(tools.cc, [...FLAGS, '-o', fresh, source]);
    chmodSync(fresh, 0o755);
    renameSync(fresh, output);
    await mustRun(tools.cc, [...FLAGS, '-o', fresh, becomeSource]);
    chmodSync(fresh, 0o755);
    renameSync(fresh, become);
    await mustRun(tools.cc, [...FLAGS, '-o', fresh, surveySource]);
    chmodSync(fresh, 0o755);
    renameSync(fresh, survey);
    await mustRun(tools.cc, [...SHARED_FLAGS, '-o', `${fresh}.so`, listenSource]);
    renameSync(`${fresh}.so`, listen);
    await mustRun(tools.cc, [...BIOS_FLAGS, '-o', fresh, ...BIOS_SOURCES]);
    chmodSync(fresh, 0o644);
    renameSync(fresh, bios);
    copyFileSync(script, bridgeUp);
    chmodSync(bridgeUp, 0o755);
    writeStamp(stamp, hash);
  }
  return `${output}, ${statSync(output).size} bytes`;
}
