// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Graph, GraphEdge, GraphNode } from '../api/schema';

/** A run of the graph. */
export function aRunNode(
  run: string,
  order: number,
  fields: Partial<GraphNode> = {}
): GraphNode {
  const node: GraphNode = {
    id: `run:${run}`,
    kind: 'run',
    label: run,
    order,
    run,
    status: 'succeeded',
    authority: 'workload',
    workload_file: 'train.ipynb',
    author: 'ada',
    commit: order.toString(16).padStart(64, '0'),
    created: '2026-02-03T04:05:06Z',
    path: null,
    dataset: null,
    workspace: null,
    digest: null,
    size: null,
    models: [],
    source: false,
    depth: 0,
    hidden_up: 0,
    hidden_down: 0
  };
  return { ...node, ...fields };
}

/** A version of a file. */
export function aFileNode(
  path: string,
  order: number,
  fields: Partial<GraphNode> = {}
): GraphNode {
  const commit = order.toString(16).padStart(64, '0');
  return {
    ...aRunNode(path, order),
    id: `file:${path}@${commit}`,
    kind: 'file',
    label: path,
    run: null,
    status: null,
    authority: null,
    workload_file: null,
    commit,
    path,
    digest: 'd'.repeat(64),
    size: 1500,
    ...fields
  };
}

/** An edge, of the kind that its ends tell. */
export function anEdge(
  source: GraphNode,
  target: GraphNode,
  fields: Partial<GraphEdge> = {}
): GraphEdge {
  return {
    source: source.id,
    target: target.id,
    kind:
      source.kind === 'run' ? 'wrote' : target.kind === 'run' ? 'read' : 'same',
    authority: 'workload',
    ...fields
  };
}

/** An answer of the server. */
export function aGraph(
  nodes: GraphNode[],
  edges: GraphEdge[],
  fields: Partial<Graph> = {}
): Graph {
  return {
    start: [],
    nodes,
    edges,
    truncated: false,
    workspaces: [],
    ...fields
  };
}

/** Raw data, cleaned, and two models trained on it; the second training failed. */
export function aPipeline() {
  const raw = aFileNode('data/raw.csv', 1, { source: true });
  const clean = aRunNode('clean-00', 2, {
    label: 'Clean the data',
    workload_file: 'clean.ipynb'
  });
  const cleaned = aFileNode('data/clean.csv', 2);
  const train = aRunNode('train-00', 3, { label: 'Train' });
  const model = aFileNode('model.joblib', 3, { models: ['digits'] });
  const failed = aRunNode('train-01', 4, {
    label: 'Train again',
    status: 'failed'
  });
  const nodes = [raw, clean, cleaned, train, model, failed];
  const edges = [
    anEdge(raw, clean),
    anEdge(clean, cleaned),
    anEdge(cleaned, train),
    anEdge(train, model),
    anEdge(cleaned, failed, { authority: 'derived' })
  ];
  return { raw, clean, cleaned, train, model, failed, nodes, edges };
}

/** A long row of runs, each of which reads what the one before it wrote. */
export function aChain(runs: number) {
  const nodes: GraphNode[] = [aFileNode('step0', 0, { source: true })];
  const edges: GraphEdge[] = [];
  for (let n = 1; n <= runs; n++) {
    const run = aRunNode(`r${n}`, n);
    const file = aFileNode(`step${n}`, n);
    edges.push(anEdge(nodes[nodes.length - 1], run), anEdge(run, file));
    nodes.push(run, file);
  }
  return { nodes, edges };
}

/** A generator of numbers that are the same each time (mulberry32). */
export function chance(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** A project as people make them: each run reads up to three files and writes up to two. */
export function aProject(runs: number, seed: number) {
  const pick = chance(seed);
  const files: GraphNode[] = [];
  const nodes: GraphNode[] = [];
  const edges: GraphEdge[] = [];
  for (let n = 0; n < 3; n++) {
    files.push(aFileNode(`raw${n}`, 0, { source: true }));
  }
  nodes.push(...files);
  for (let order = 1; order <= runs; order++) {
    const run = aRunNode(`run${order}`, order, {
      workload_file: `program${pick(4)}.ipynb`
    });
    const read = new Set<GraphNode>();
    for (let n = pick(3); n >= 0; n--) {
      // mostly recent files, at times the first ones
      read.add(
        pick(3) === 0
          ? files[pick(files.length)]
          : files[files.length - 1 - pick(Math.min(8, files.length))]
      );
    }
    nodes.push(run);
    read.forEach(file => edges.push(anEdge(file, run)));
    for (let n = pick(3); n > 0; n--) {
      const file = aFileNode(`out${pick(12)}-${n}`, order);
      files.push(file);
      nodes.push(file);
      edges.push(anEdge(run, file));
    }
  }
  return { nodes, edges };
}
