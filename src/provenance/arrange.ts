// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { GraphEdge, GraphNode } from '../api/schema';
import type { Direction } from './client';
import type { ProvenanceGraph } from './graph';
import type { IPlace } from './layout';
import { placeNodes } from './layout';

/** How many runs in a row a chain has at least to be shown as one. */
export const CHAIN = 4;

/**
 * A run, a file version, or a chain of runs that is shown as one.
 */
export interface IShownNode {
  /** The node's id; of a chain, that of its first node with `chain:` before it. */
  id: string;

  /** What it is. */
  kind: 'run' | 'file' | 'chain';

  /** The node; of a chain, its first. */
  node: GraphNode;

  /** What a chain stands for, in order; else the node alone. */
  members: readonly string[];

  /** How many runs it stands for. */
  runs: number;

  /** How many neighbours towards its origin are known to be left out. */
  moreUp: number;

  /** How many that came of it are. */
  moreDown: number;

  /** Whether it is not in the lineage that is looked at. */
  dimmed: boolean;

  /** Where it is. */
  place: IPlace;
}

/**
 * An edge between two nodes that are shown.
 */
export interface IShownEdge {
  id: string;
  source: string;
  target: string;
  kind: GraphEdge['kind'];

  /** Whether it was observed rather than declared. */
  derived: boolean;

  /** Whether one of its ends is not in the lineage that is looked at. */
  dimmed: boolean;
}

/**
 * What is shown of a graph.
 */
export interface IArrangement {
  nodes: ReadonlyMap<string, IShownNode>;
  edges: readonly IShownEdge[];

  /** What is shown in a node's place, where anything is. */
  shownFor(id: string): string | undefined;

  /** Neighbours that are shown, by row. */
  up(id: string): readonly string[];
  down(id: string): readonly string[];
}

/**
 * What a person chose to see.
 */
export interface IChoice {
  /** The lineage that is looked at. */
  focus: { id: string; direction: Direction } | null;

  /** Whether the rest is left out rather than dimmed. */
  only: boolean;

  /** Nodes whose origins are folded away. */
  foldedUp: ReadonlySet<string>;

  /** Nodes of which what came of them is folded away. */
  foldedDown: ReadonlySet<string>;

  /** Chains that are shown as one. */
  chains: readonly (readonly string[])[];
}

/**
 * Long chains: nodes of which each was made from the one before alone, and only the next came of it.
 *
 * Failed runs, models and nodes with neighbours that are not known stay out, so that nothing which
 * people look for is hidden.
 *
 * @param graph - The graph
 * @param except - Nodes that are to be seen
 */
export function findChains(
  graph: ProvenanceGraph,
  except: ReadonlySet<string>
): string[][] {
  const isInner = (id: string): boolean => {
    const node = graph.nodes.get(id);
    return (
      node !== undefined &&
      !except.has(id) &&
      node.status !== 'failed' &&
      node.models.length === 0 &&
      !node.source &&
      graph.up(id).length === 1 &&
      graph.down(id).length === 1 &&
      graph.hiddenUp(id) === 0 &&
      graph.hiddenDown(id) === 0
    );
  };
  const inner = new Set([...graph.nodes.keys()].filter(isInner));
  const chains: string[][] = [];
  for (const first of inner) {
    if (inner.has(graph.up(first)[0])) {
      continue;
    }
    const chain = [first];
    for (let next = graph.down(first)[0]; inner.has(next);) {
      chain.push(next);
      next = graph.down(next)[0];
    }
    if (countRuns(graph, chain) >= CHAIN) {
      chains.push(chain);
    }
  }
  return chains;
}

/**
 * Say what of a graph is shown, and where.
 */
export function arrange(graph: ProvenanceGraph, choice: IChoice): IArrangement {
  const { focus, only, chains } = choice;
  const hiddenNodes = foldedNodes(graph, choice);
  const lineage =
    focus && graph.nodes.has(focus.id)
      ? graph.lineage([focus.id], focus.direction)
      : null;
  const standIn = new Map<string, string>();
  const shown: Omit<IShownNode, 'place'>[] = [];
  const add = (id: string, kind: IShownNode['kind'], all: string[]): void => {
    const members = all.filter(
      member =>
        !hiddenNodes.has(member) && (!only || inLineage(lineage, member))
    );
    if (members.length === 0) {
      return;
    }
    members.forEach(member => standIn.set(member, id));
    const last = members[members.length - 1];
    shown.push({
      id,
      kind,
      node: graph.nodes.get(members[0]) as GraphNode,
      members,
      runs: countRuns(graph, members),
      moreUp:
        graph.hiddenUp(members[0]) + countIn(graph.up(members[0]), hiddenNodes),
      moreDown: graph.hiddenDown(last) + countIn(graph.down(last), hiddenNodes),
      dimmed: !members.some(member => inLineage(lineage, member))
    });
  };
  const chained = new Set<string>();
  for (const chain of chains) {
    const members = chain.filter(id => graph.nodes.has(id));
    members.forEach(id => chained.add(id));
    if (members.length > 0) {
      add(`chain:${members[0]}`, 'chain', members);
    }
  }
  for (const node of graph.nodes.values()) {
    if (!chained.has(node.id)) {
      add(node.id, node.kind, [node.id]);
    }
  }

  const edges = shownEdges(graph, standIn, lineage);
  const places = placeNodes(
    shown.map(({ id, node }) => ({ id, order: node.order })),
    edges
  );
  const nodes = new Map<string, IShownNode>();
  for (const node of shown) {
    nodes.set(node.id, { ...node, place: places.get(node.id) as IPlace });
  }
  return withNeighbours(nodes, edges, standIn);
}

function shownEdges(
  graph: ProvenanceGraph,
  standIn: ReadonlyMap<string, string>,
  lineage: ReadonlySet<string> | null
): IShownEdge[] {
  const edges = new Map<string, IShownEdge>();
  for (const edge of graph.edges) {
    const source = standIn.get(edge.source);
    const target = standIn.get(edge.target);
    if (source === undefined || target === undefined || source === target) {
      continue;
    }
    const id = JSON.stringify([source, target, edge.kind]);
    edges.set(id, {
      id,
      source,
      target,
      kind: edge.kind,
      derived: edge.authority === 'derived',
      dimmed:
        !inLineage(lineage, edge.source) || !inLineage(lineage, edge.target)
    });
  }
  return [...edges.values()];
}

function withNeighbours(
  nodes: ReadonlyMap<string, IShownNode>,
  edges: readonly IShownEdge[],
  standIn: ReadonlyMap<string, string>
): IArrangement {
  const up = new Map<string, string[]>();
  const down = new Map<string, string[]>();
  for (const { source, target } of edges) {
    push(up, target, source);
    push(down, source, target);
  }
  const row = (id: string): number => nodes.get(id)?.place.row ?? 0;
  const byRow = (ids: string[] = []): string[] =>
    [...new Set(ids)].sort((a, b) => row(a) - row(b));
  return {
    nodes,
    edges,
    shownFor: id => (nodes.has(id) ? id : standIn.get(id)),
    up: id => byRow(up.get(id)),
    down: id => byRow(down.get(id))
  };
}

/**
 * What is folded away: what leads to, or comes of, folded nodes and nothing else that is shown.
 */
function foldedNodes(graph: ProvenanceGraph, choice: IChoice): Set<string> {
  const away = new Set<string>();
  const fold = (
    folded: ReadonlySet<string>,
    ahead: (id: string) => readonly string[],
    back: (id: string) => readonly string[]
  ): void => {
    const waiting = [...folded];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      for (const next of ahead(id)) {
        const isBehind = (other: string) =>
          folded.has(other) || away.has(other);
        if (
          !away.has(next) &&
          !folded.has(next) &&
          back(next).every(isBehind)
        ) {
          away.add(next);
          waiting.push(next);
        }
      }
    }
  };
  fold(
    choice.foldedUp,
    id => graph.up(id),
    id => graph.down(id)
  );
  fold(
    choice.foldedDown,
    id => graph.down(id),
    id => graph.up(id)
  );
  return away;
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list) {
    list.push(value);
  } else {
    lists.set(key, [value]);
  }
}

function inLineage(lineage: ReadonlySet<string> | null, id: string): boolean {
  return lineage === null || lineage.has(id);
}

function countIn(ids: readonly string[], among: ReadonlySet<string>): number {
  return ids.filter(id => among.has(id)).length;
}

function countRuns(graph: ProvenanceGraph, ids: readonly string[]): number {
  return ids.filter(id => graph.nodes.get(id)?.kind === 'run').length;
}
