/** The instruction sets whose code is read, by name. */
import { aarch64 } from '../arch/aarch64/analyze/index.ts';
import type { AnalysisIsa, Executable } from '../arch/analysis-isa.ts';
import { x86_64 } from '../arch/x86_64/analyze/index.ts';

export const isas: Record<Executable['machine'], AnalysisIsa> = { x86_64, aarch64 };
