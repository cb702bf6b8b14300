/**
 * Pass: which sections are in the output, and why.
 *
 * Walks from the roots along relocations. Names are bound on the way: in the scope of the file, then in the other one, then to what the linker
 * defines. Reaching a component's name makes the component active: all its objects are read, its registrations (`.hull.*`) and what it requires become
 * roots. A weak reference, or one to a call that its component declares soft, activates nothing; it binds if something else did.
 * When nothing more is reached, system calls without a definition get stubs.
 * After it: `live`, `why` and `reason` of sections and `active` of components are final, and each symbol of a live relocation is bound.
 */
import {
  SHF_GNU_RETAIN,
  SHF_MERGE,
  SHT_FINI_ARRAY,
  SHT_INIT_ARRAY,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_PREINIT_ARRAY,
  STB_LOCAL,
  STB_WEAK,
  STT_OBJECT,
} from '../elf/index.ts';
import {
  type Component,
  InputSection,
  isDefined,
  type LinkContext,
  type LinkSymbol,
  type ObjectFile,
  pieceAt,
  type ScopeName,
  SymbolKind,
} from './context.ts';
import { LinkError } from './error.ts';
import { defineLinkerSymbol } from './linker-symbols.ts';
import { splitPieces } from './merge-strings.ts';
import { loadComponent, takeMember } from './read-inputs.ts';
import { makeAbsentStubs } from './system-calls.ts';
import { pendingUnwind } from './unwind.ts';

export class Marker {
  private readonly work: InputSection[] = [];
  private readonly soft = new Map<LinkSymbol, InputSection | undefined>();
  private readonly calls = new Map<LinkSymbol, InputSection | undefined>();
  private readonly context: LinkContext;

  constructor(context: LinkContext) {
    this.context = context;
  }

  /** Marks from the roots, the components `activate` among them. */
  run(activate: readonly Component[] = []): void {
    const { context } = this;
    context.onReplaced = (symbol) => this.reach(symbol, 0, undefined, `replaces a weak ${symbol.name}`);
    context.onFile = (file) => this.rootFile(file);
    for (const file of [...context.objects]) this.rootFile(file);
    for (const name of [context.options.entry, ...context.options.keep]) this.rootSymbol(name);
    for (const component of activate) this.activate(component, undefined, 'asked for');
    this.drain();
    context.onFile = undefined;
    context.onReplaced = undefined;
  }

  /** Activates a component, what it requires, and what joins it. */
  activate(component: Component, why: InputSection | undefined, reason: string): void {
    if (component.active) return;
    component.active = true;
    component.why = why;
    component.reason = reason;
    for (const name of component.manifest.requires ?? []) {
      const required = this.context.components.get(name);
      if (!required)
        throw new LinkError(
          'missing-component',
          `Cannot link component "${component.name}": it requires "${name}", expected that among the components`,
        );
      this.activate(required, why, `${reason} → ${component.name} requires ${name}`);
    }
    loadComponent(this.context, component);
    for (const other of this.context.components.values()) {
      if (other.manifest.joins?.component === component.name) this.activate(other, why, `${reason} → ${other.name} joins ${component.name}`);
    }
  }

  private rootSymbol(name: string): void {
    const { context } = this;
    const scope: ScopeName = context.options.kind === 'executable' ? 'program' : 'libos';
    const symbol = this.bind(context.intern(name, scope), false, undefined);
    if (symbol.kind === SymbolKind.lazy && symbol.lazy?.kind === 'member') takeMember(context, symbol.lazy.archive, symbol.lazy.member);
    if (!isDefined(symbol)) {
      context.report('undefined-symbol', `Cannot link root symbol "${name}": not defined, expected in an object or archive`);
      return;
    }
    this.reach(symbol, 0, undefined, `${name === context.options.entry ? 'entry' : 'kept'} ${name}`);
  }

  private rootFile(file: ObjectFile): void {
    for (const section of file.sections) {
      if (!section || section.name === '.eh_frame') continue;
      const reason = this.rootReason(section);
      if (reason !== '') this.mark(section, file.component?.why, reason);
    }
  }

  private rootReason(section: InputSection): string {
    const { name, file } = section;
    if (!this.context.options.gc) return 'no garbage collection';
    if (name.startsWith('.hull.')) return file.component ? `registration of ${file.component.name}` : 'registration';
    if (section.flags & SHF_GNU_RETAIN) return 'retained';
    if (section.group && section.type !== SHT_NOTE) return '';
    switch (section.type) {
      case SHT_NOTE:
        return section.group ? '' : 'note';
      case SHT_INIT_ARRAY:
      case SHT_FINI_ARRAY:
      case SHT_PREINIT_ARRAY:
        return 'constructors and destructors';
    }
    return /^\.(init|fini|ctors|dtors|jcr)(\.|$)/.test(name) || /^\.(init|fini|preinit)_array(\.|$)/.test(name)
      ? 'constructors and destructors'
      : '';
  }

  private mark(section: InputSection, why: InputSection | undefined, reason: string): void {
    if (section.live) return;
    section.live = true;
    section.why = why;
    section.reason = reason;
    this.work.push(section);
    if (section.flags & SHF_MERGE) {
      section.pieces ??= splitPieces(section);
      if (why === undefined || !this.context.options.gc) section.pieces.live.fill(1);
    }
  }

  private reach(symbol: LinkSymbol, addend: number, from: InputSection | undefined, reason: string): void {
    symbol.reached = true;
    if (symbol.kind === SymbolKind.common) this.allocateCommon(symbol);
    const section = symbol.section;
    if (!section) return;
    this.mark(section, from, reason);
    if (section.flags & SHF_MERGE && section.pieces) {
      section.pieces.live[pieceAt(section.pieces, symbol.value + (symbol.isSection ? addend : 0))] = 1;
    }
  }

  private allocateCommon(symbol: LinkSymbol): void {
    const file = this.context.made[symbol.scope];
    const section = new InputSection(file, '.bss', SHT_NOBITS, 3, Math.max(symbol.value, 1), symbol.size, 0, new Uint8Array(0));
    file.sections.push(section);
    symbol.kind = SymbolKind.defined;
    symbol.section = section;
    symbol.value = 0;
    symbol.type = STT_OBJECT;
  }

  private drain(): void {
    for (;;) {
      for (let section = this.work.pop(); section; section = this.work.pop()) this.scan(section);
      if (pendingUnwind(this.context, (symbol, addend, from) => this.follow(symbol, addend, false, from))) continue;
      for (const [symbol, from] of this.soft) {
        const bound = this.bind(symbol, true, from);
        if (!isDefined(bound)) continue;
        this.soft.delete(symbol);
        this.reach(bound, 0, from, symbol.name);
      }
      if (this.work.length > 0) continue;
      if (!this.makeStubs()) return;
    }
  }

  private scan(section: InputSection): void {
    for (const member of section.group ?? []) this.mark(member, section, 'same group');
    for (const dependent of section.dependents ?? []) this.mark(dependent, section, 'describes it');
    const relocations = section.relocations;
    if (!relocations) return;
    const { symbols, table } = section.file;
    for (let i = 0; i < relocations.count; i++) {
      const index = relocations.symbol(i);
      const symbol = symbols[index];
      if (!symbol || index === 0) continue;
      const weak = table !== undefined && symbol.binding !== STB_LOCAL && !isDefined(symbol) && table.binding(index) === STB_WEAK;
      this.follow(symbol, relocations.addend(i) ?? 0, weak, section);
    }
  }

  private follow(symbol: LinkSymbol, addend: number, weak: boolean, from: InputSection | undefined): void {
    const bound = this.bind(symbol, weak, from);
    if (isDefined(bound)) this.reach(bound, addend, from, bound.name);
  }

  /** The symbol that a reference means; still undefined when there is none (yet). */
  private bind(symbol: LinkSymbol, weak: boolean, from: InputSection | undefined): LinkSymbol {
    if (isDefined(symbol) || symbol.binding === STB_LOCAL) return symbol;
    if (symbol.alias) return symbol.alias;
    const { context } = this;
    this.demand(symbol, weak, from);
    if (isDefined(symbol)) return symbol;
    const other = context.scopes[symbol.scope === 'libos' ? 'program' : 'libos'].get(symbol.name);
    if (other && !other.alias) {
      this.demand(other, weak, from);
      if (isDefined(other)) {
        symbol.alias = other;
        return other;
      }
    }
    if (defineLinkerSymbol(context, symbol, (section, reason) => this.mark(section, from, reason))) return symbol;
    if (symbol.name.startsWith('sys_') && !weak && context.options.kind !== 'executable') {
      this.calls.set(symbol, this.calls.get(symbol) ?? from);
      this.soft.set(symbol, this.soft.get(symbol) ?? from);
    } else if (weak || symbol.strong === false) this.soft.set(symbol, from);
    return symbol;
  }

  private demand(symbol: LinkSymbol, weak: boolean, from: InputSection | undefined): void {
    const lazy = symbol.lazy;
    if (weak || symbol.kind !== SymbolKind.lazy || !lazy) return;
    if (lazy.kind === 'member') {
      takeMember(this.context, lazy.archive, lazy.member);
      return;
    }
    if (lazy.component.soft.has(symbol.name)) return;
    this.activate(lazy.component, from, symbol.name);
  }

  /** Gives each system call that is still undefined a stub. False when there was none. */
  private makeStubs(): boolean {
    const { context } = this;
    const missing = [...this.calls.keys()].filter(
      (symbol) => !isDefined(symbol) && !symbol.alias && context.isa.syscallNumber(symbol.name.slice(4)) !== undefined,
    );
    if (missing.length === 0) return false;
    // The common function first: its component may bring some of the calls.
    const target = context.intern('sys_absent', 'libos');
    if (!target.reached) {
      this.follow(target, 0, false, this.calls.get(missing[0] as LinkSymbol));
      target.reached = true;
      return true;
    }
    const section = makeAbsentStubs(context, missing);
    this.mark(section, this.calls.get(missing[0] as LinkSymbol), 'absent system calls');
    return true;
  }
}

/** The mark chain of a section: from the root down to it. */
export function explain(section: InputSection | undefined): string[] {
  const chain: string[] = [];
  const seen = new Set<InputSection>();
  for (let at = section; at && !seen.has(at); at = at.why) {
    seen.add(at);
    chain.unshift(`${at.reason} in ${at.file.name}`);
  }
  return chain;
}
