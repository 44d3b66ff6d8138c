// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { VDomModel } from '@jupyterlab/ui-components';

import type { ApiClient, ApiError } from '../api/client';
import type { GraphNode, RunDetail } from '../api/schema';
import { asApiError } from '../request';
import type { IArrangement } from './arrange';
import { arrange, findChains } from './arrange';
import type { Direction, IGraphQuery } from './client';
import { ProvenanceClient } from './client';
import { ProvenanceGraph } from './graph';
import { isOfAnother, programOf } from './words';

/**
 * The ways in which a graph can be shown.
 */
export type View = 'graph' | 'list';

/**
 * How many colours programs have; see style/provenance.css.
 */
export const COLOURS = 7;

/**
 * What the provenance tab shows: a part of the graph, and what a person chose to see of it.
 */
export class ProvenanceModel extends VDomModel {
  /**
   * Create a model; {@link load} reads the graph.
   */
  constructor(options: ProvenanceModel.IOptions) {
    super();
    this._api = options.client;
    this.workspace = options.workspace;
    this.client = new ProvenanceClient(
      options.client.serverSettings,
      options.workspace
    );
    this._query = {
      start: options.start ?? '',
      direction: options.direction ?? 'both',
      depth: options.depth ?? 0,
      across: options.across ?? false
    };
    this._view = options.view ?? 'graph';
  }

  /** The API of the graph. */
  readonly client: ProvenanceClient;

  /** A contents path in the workspace. */
  readonly workspace: string;

  /** What was asked for. */
  get query(): IGraphQuery {
    return this._query;
  }

  /** How the graph is shown. */
  get view(): View {
    return this._view;
  }

  /** The graph, once it has been read. */
  get graph(): ProvenanceGraph | null {
    return this._graph;
  }

  /** Ids of the nodes that were asked for. */
  get start(): readonly string[] {
    return this._start;
  }

  /** A number that changes when another graph is shown, but not when nodes are added to it. */
  get generation(): number {
    return this._generation;
  }

  /** Whether an answer is on its way. */
  get isBusy(): boolean {
    return this._busy > 0;
  }

  /** Why the graph could not be read, if the last try failed. */
  get error(): ApiError | null {
    return this._error;
  }

  /** The node that keys and buttons are about. */
  get selected(): string | null {
    return this._selected;
  }

  /** The selected node, as the server told it. */
  get selectedNode(): GraphNode | null {
    return this._selected === null
      ? null
      : (this._arranged().nodes.get(this._selected)?.node ?? null);
  }

  /** Whether what is known of the selected node is shown beside the graph. */
  get isSheetOpen(): boolean {
    return this._sheet && this.selectedNode !== null;
  }

  /** The lineage that is looked at. */
  get focus(): { id: string; direction: Direction } | null {
    return this._focus;
  }

  /** Whether what is not in that lineage is left out rather than dimmed. */
  get isOnly(): boolean {
    return this._only;
  }

  /** Whether long chains are shown as one node. */
  get hasChains(): boolean {
    return this._chained;
  }

  /** The node whose lineage is to be compared with the one that is chosen next. */
  get comparing(): string | null {
    return this._comparing;
  }

  /** What is shown, and where. */
  get arrangement(): IArrangement {
    return this._arranged();
  }

  /** Whether what a node was made from is folded away. */
  isFolded(id: string, direction: 'up' | 'down'): boolean {
    return (direction === 'up' ? this._foldedUp : this._foldedDown).has(id);
  }

  /**
   * The number of a program's colour; each keeps its own as long as the tab is open.
   */
  colourOf(program: string | null): number | null {
    return program === null ? null : (this._colours.get(program) ?? null);
  }

  /** The programs of what is shown with the numbers of their colours. */
  get programs(): ReadonlyMap<string, number> {
    return this._colours;
  }

  /**
   * The program that made a node; of a file, the one whose run wrote it.
   */
  programOf(id: string): string | null {
    const graph = this._graph;
    const node = graph?.nodes.get(id);
    if (!graph || !node) {
      return null;
    }
    if (node.kind === 'run') {
      return programOf(node);
    }
    for (const parent of graph.up(id)) {
      const maker = graph.nodes.get(parent);
      if (maker?.kind === 'run') {
        return programOf(maker);
      }
    }
    return null;
  }

  /**
   * A contents path in the workspace of a node; null if the server does not serve it.
   */
  placeOf(node: GraphNode): string | null {
    return node.workspace === null
      ? this.workspace
      : (this._graph?.workspaces.get(node.workspace)?.path ?? null);
  }

  /**
   * The name of the other workspace that a node is in; null for this one.
   */
  otherOf(node: GraphNode): string | null {
    return node.workspace === null
      ? null
      : (this._graph?.workspaces.get(node.workspace)?.name ?? node.workspace);
  }

  /** Everything known of a run, which may be one of another workspace. */
  run(id: string, workspace: string): Promise<RunDetail> {
    return this._api.run(workspace, id);
  }

  /**
   * Read the graph anew.
   */
  async load(): Promise<void> {
    await this._ask(this._query, answer => {
      this._graph = new ProvenanceGraph();
      this._graph.merge(answer);
      this._start = answer.start;
      this._chains = this._chained ? this._findChains() : [];
      this._focus = null;
      this._foldedUp.clear();
      this._foldedDown.clear();
      this._generation += 1;
      if (this._selected !== null && !this._graph.nodes.has(this._selected)) {
        this._selected = null;
      }
    });
  }

  /**
   * Add what is new; what is shown stays where it is.
   */
  async refresh(): Promise<void> {
    if (!this._graph) {
      return this.load();
    }
    if (this._refreshing) {
      this._again = true;
      return;
    }
    this._refreshing = true;
    do {
      this._again = false;
      // a newer version of the file is another graph
      const start =
        this._start.length === 1 ? this._start[0] : this._query.start;
      await this._ask({ ...this._query, start }, answer => {
        this._graph?.merge(answer);
      });
    } while (this._again && !this.isDisposed);
    this._refreshing = false;
  }

  /**
   * Follow it into other workspaces, or no longer.
   */
  async setAcross(across: boolean): Promise<void> {
    // without the others nothing is known of what is in them
    const isElsewhere = isOfAnother(this._query.start);
    await this.setQuery(
      !across && isElsewhere ? { across, start: '' } : { across }
    );
  }

  /**
   * Ask for something else.
   */
  async setQuery(query: Partial<IGraphQuery>): Promise<void> {
    this._query = { ...this._query, ...query };
    await this.load();
  }

  /**
   * Show neighbours of a node that were left out.
   */
  async showMore(id: string, direction: 'up' | 'down'): Promise<void> {
    const folded = direction === 'up' ? this._foldedUp : this._foldedDown;
    if (folded.delete(id)) {
      this._changed();
      return;
    }
    const shown = this._arranged().nodes.get(id);
    const members = shown?.members ?? [id];
    const end = members[direction === 'up' ? 0 : members.length - 1];
    const { across } = this._query;
    await this._ask({ start: end, direction, depth: 1, across }, answer => {
      this._graph?.merge(answer);
    });
  }

  /**
   * Fold away, or show again, what a node was made from or what came of it.
   */
  toggleFolded(id: string, direction: 'up' | 'down'): void {
    const folded = direction === 'up' ? this._foldedUp : this._foldedDown;
    if (!folded.delete(id)) {
      folded.add(id);
    }
    this._changed();
  }

  /** Show all nodes of a chain. */
  expandChain(id: string): void {
    const members = this._arranged().nodes.get(id)?.members;
    if (members) {
      const first = members[0];
      this._chains = this._chains.filter(chain => !chain.includes(first));
      if (this._selected === id) {
        this._selected = first;
      }
      this._changed();
    }
  }

  /** Show long chains as one node each, or all their nodes. */
  setChains(chained: boolean): void {
    this._chained = chained;
    this._chains = chained ? this._findChains() : [];
    this._changed();
  }

  /** Show the graph or the list. */
  setView(view: View): void {
    this._view = view;
    this.stateChanged.emit();
  }

  /**
   * Select a node.
   *
   * @param id - The node; null for none
   * @param sheet - Whether to show what is known of it; without it that stays as it is
   */
  select(id: string | null, sheet?: boolean): void {
    this._selected =
      id === null ? null : (this._arranged().shownFor(id) ?? null);
    this._sheet = id !== null && (sheet ?? this._sheet);
    this.stateChanged.emit();
  }

  /** Look at one node's lineage; null for everything. */
  setFocus(focus: { id: string; direction: Direction } | null): void {
    this._focus = focus;
    this._changed();
  }

  /** Leave out, or only dim, what is not in the lineage that is looked at. */
  setOnly(only: boolean): void {
    this._only = only;
    this._changed();
  }

  /** Have another node chosen to compare with; null for no longer. */
  compareWith(id: string | null): void {
    this._comparing = id;
    this.stateChanged.emit();
  }

  private async _ask(
    query: IGraphQuery,
    take: (answer: Awaited<ReturnType<ProvenanceClient['graph']>>) => void
  ): Promise<void> {
    // only what was asked for last counts, since each answer is about another graph
    const generation = this._generation;
    const turn = ++this._turn;
    const counts = () => turn === this._turn || generation === this._generation;
    this._busy += 1;
    this.stateChanged.emit();
    try {
      const answer = await this.client.graph(query);
      if (this.isDisposed) {
        return;
      }
      if (counts()) {
        this._error = null;
        take(answer);
        this._nameColours();
      }
    } catch (reason) {
      if (this.isDisposed) {
        return;
      }
      if (counts()) {
        this._error = asApiError(reason);
      }
    }
    this._busy -= 1;
    this._changed();
  }

  private _arranged(): IArrangement {
    if (!this._arrangement) {
      this._arrangement = arrange(this._graph ?? new ProvenanceGraph(), {
        focus: this._focus,
        only: this._only,
        foldedUp: this._foldedUp,
        foldedDown: this._foldedDown,
        chains: this._chains
      });
    }
    return this._arrangement;
  }

  private _changed(): void {
    this._arrangement = null;
    if (this._selected !== null) {
      this._selected = this._arranged().shownFor(this._selected) ?? null;
    }
    this.stateChanged.emit();
  }

  private _findChains(): string[][] {
    return this._graph ? findChains(this._graph, new Set(this._start)) : [];
  }

  private _nameColours(): void {
    for (const node of this._graph?.nodes.values() ?? []) {
      const program = programOf(node);
      if (program !== null && !this._colours.has(program)) {
        this._colours.set(program, this._colours.size % COLOURS);
      }
    }
  }

  private _again = false;
  private _api: ApiClient;
  private _arrangement: IArrangement | null = null;
  private _busy = 0;
  private _chained = true;
  private _chains: string[][] = [];
  private _colours = new Map<string, number>();
  private _comparing: string | null = null;
  private _error: ApiError | null = null;
  private _focus: { id: string; direction: Direction } | null = null;
  private _foldedDown = new Set<string>();
  private _foldedUp = new Set<string>();
  private _generation = 0;
  private _graph: ProvenanceGraph | null = null;
  private _only = false;
  private _query: IGraphQuery;
  private _refreshing = false;
  private _selected: string | null = null;
  private _sheet = false;
  private _start: readonly string[] = [];
  private _turn = 0;
  private _view: View;
}

/**
 * A namespace for `ProvenanceModel` types.
 */
export namespace ProvenanceModel {
  /** What a model needs. */
  export interface IOptions {
    /** The API. */
    client: ApiClient;

    /** A contents path in the workspace. */
    workspace: string;

    /** What to begin with: `run:ID`, `file:PATH`, ...; empty for the whole workspace. */
    start?: string;

    /** Which way from there. */
    direction?: Direction;

    /** How many runs away at most; 0 for any. */
    depth?: number;

    /** Whether it is followed into other workspaces. */
    across?: boolean;

    /** How it is shown. */
    view?: View;
  }
}
