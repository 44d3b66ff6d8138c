// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  Graph,
  GraphEdge,
  GraphNode,
  GraphWorkspace
} from '../api/schema';
import type { Direction } from './client';

/**
 * What is known of the graph of runs and file versions: one or several answers of the server, put together.
 */
export class ProvenanceGraph {
  /** All nodes by their ids, in the order in which they became known, each answer oldest first. */
  get nodes(): ReadonlyMap<string, GraphNode> {
    return this._nodes;
  }

  /** All edges; at most one of a kind between two nodes. */
  get edges(): readonly GraphEdge[] {
    return [...this._edges.values()];
  }

  /** Whether the server left nodes out because there are too many. */
  get truncated(): boolean {
    return this._truncated;
  }

  /** The other workspaces that were looked into, or could not be, by their ids. */
  get workspaces(): ReadonlyMap<string, GraphWorkspace> {
    return this._workspaces;
  }

  /**
   * Add an answer of the server.
   */
  merge(graph: Graph): void {
    this._truncated = this._truncated || graph.truncated;
    for (const workspace of graph.workspaces) {
      // of copies of a workspace, which have one id, only the first is looked into
      const known = this._workspaces.get(workspace.id);
      if (!known || known.problem) {
        this._workspaces.set(workspace.id, workspace);
      }
    }
    for (const node of graph.nodes) {
      this._nodes.set(node.id, node);
    }
    const up = new Map<string, Set<string>>();
    const down = new Map<string, Set<string>>();
    for (const edge of graph.edges) {
      const { source, target, kind } = edge;
      if (!this._nodes.has(source) || !this._nodes.has(target)) {
        continue;
      }
      this._edges.set(JSON.stringify([source, target, kind]), edge);
      for (const links of [this._up, up]) {
        link(links, target, source);
      }
      for (const links of [this._down, down]) {
        link(links, source, target);
      }
    }
    // An answer tells how many neighbours *it* leaves out: with those it has that is how many there are.
    for (const { id, hidden_up, hidden_down } of graph.nodes) {
      atLeast(this._upTotal, id, (up.get(id)?.size ?? 0) + hidden_up);
      atLeast(this._downTotal, id, (down.get(id)?.size ?? 0) + hidden_down);
    }
  }

  /** What a node was directly made from. */
  up(id: string): readonly string[] {
    return [...(this._up.get(id) ?? [])];
  }

  /** What directly came of a node. */
  down(id: string): readonly string[] {
    return [...(this._down.get(id) ?? [])];
  }

  /** How many neighbours towards its origin are not known here. */
  hiddenUp(id: string): number {
    return hidden(this._upTotal, this._up, id);
  }

  /** How many that came of it are not known here. */
  hiddenDown(id: string): number {
    return hidden(this._downTotal, this._down, id);
  }

  /**
   * Some nodes, and all that they were made from or that came of them.
   */
  lineage(start: Iterable<string>, direction: Direction): Set<string> {
    const found = new Set<string>();
    for (const [way, links] of [
      ['up', this._up],
      ['down', this._down]
    ] as const) {
      if (direction !== way && direction !== 'both') {
        continue;
      }
      const seen = new Set<string>(start);
      const ahead = [...seen];
      for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
        found.add(id);
        for (const next of links.get(id) ?? []) {
          if (!seen.has(next)) {
            seen.add(next);
            ahead.push(next);
          }
        }
      }
    }
    return found;
  }

  private _down = new Map<string, Set<string>>();
  private _downTotal = new Map<string, number>();
  private _edges = new Map<string, GraphEdge>();
  private _nodes = new Map<string, GraphNode>();
  private _truncated = false;
  private _up = new Map<string, Set<string>>();
  private _upTotal = new Map<string, number>();
  private _workspaces = new Map<string, GraphWorkspace>();
}

function link(links: Map<string, Set<string>>, from: string, to: string): void {
  const known = links.get(from);
  if (known) {
    known.add(to);
  } else {
    links.set(from, new Set([to]));
  }
}

function atLeast(totals: Map<string, number>, id: string, total: number): void {
  totals.set(id, Math.max(totals.get(id) ?? 0, total));
}

function hidden(
  totals: Map<string, number>,
  links: Map<string, Set<string>>,
  id: string
): number {
  return Math.max(0, (totals.get(id) ?? 0) - (links.get(id)?.size ?? 0));
}
