/** The instruction sets that the linker knows, by name. */
import { aarch64 } from '../arch/aarch64/link/index.ts';
import type { LinkIsa } from '../arch/link-isa.ts';
import { x86_64 } from '../arch/x86_64/link/index.ts';
import type { Machine } from './request.ts';

export const machines: Record<Machine, LinkIsa> = { x86_64, aarch64 };
