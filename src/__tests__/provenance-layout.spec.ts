// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ILayoutEdge, ILayoutNode, IPlace } from '../provenance/layout';
import { placeNodes } from '../provenance/layout';
import { aPipeline, aProject, chance } from './provenance-fixtures';

const edge = (source: string, target: string): ILayoutEdge => ({
  source,
  target
});
const node = (id: string, order: number): ILayoutNode => ({ id, order });

describe('placeNodes', () => {
  it('goes from left to right, straight on where it can', () => {
    const { nodes, edges, raw, clean, cleaned, train, model, failed } =
      aPipeline();
    const places = placeNodes(nodes, edges);
    expect(
      [raw, clean, cleaned, train, model, failed].map(({ id }) =>
        places.get(id)
      )
    ).toEqual([
      { layer: 0, row: 0 },
      { layer: 1, row: 0 },
      { layer: 2, row: 0 },
      { layer: 3, row: 0 },
      { layer: 4, row: 0 },
      { layer: 3, row: 1 }
    ]);
  });

  it('puts a node behind the last of its parents', () => {
    const places = placeNodes(
      [node('a', 1), node('b', 2), node('c', 3)],
      [edge('a', 'b'), edge('b', 'c'), edge('a', 'c')]
    );
    expect(places.get('c')?.layer).toBe(2);
  });

  it('does not draw a line behind a node', () => {
    // a -> b -> c in one row, so d, which reads a and c, is not to be reached through them
    const places = placeNodes(
      [node('a', 1), node('b', 2), node('c', 3), node('d', 4)],
      [edge('a', 'b'), edge('b', 'c'), edge('a', 'd'), edge('c', 'd')]
    );
    expect(places.get('d')).toEqual({ layer: 3, row: 1 });
  });

  it('gives a later source rows of its own', () => {
    const runs = [1, 2, 3].map(n => node(`run${n}`, n));
    const before = placeNodes(
      [node('raw', 0), ...runs, node('other', 4)],
      runs.map(({ id }) => edge('raw', id))
    );
    expect(before.get('other')).toEqual({ layer: 0, row: 3 });
  });

  it('bears cycles, unknown ends, edges against time, doubles and loops', () => {
    const places = placeNodes(
      [node('a', 1), node('b', 1), node('c', 2), node('a', 1)],
      [
        edge('a', 'b'),
        edge('b', 'a'),
        edge('a', 'a'),
        edge('c', 'a'),
        edge('a', 'nobody'),
        edge('b', 'c'),
        edge('b', 'c')
      ]
    );
    expect(places.size).toBe(3);
    expect(distinct(places)).toBe(true);
    expect(placeNodes([], [])).toEqual(new Map());
  });

  it('is the same whatever the order of nodes and edges', () => {
    const { nodes, edges } = aProject(60, 3);
    const pick = chance(5);
    const shuffled = <T>(list: readonly T[]): T[] =>
      list
        .map(item => ({ item, key: pick(1e9) }))
        .sort((a, b) => a.key - b.key)
        .map(({ item }) => item);
    expect(placeNodes(shuffled(nodes), shuffled(edges))).toEqual(
      placeNodes(nodes, edges)
    );
  });

  it('never moves a node because of newer ones', () => {
    for (let seed = 1; seed <= 25; seed++) {
      const { nodes, edges } = aProject(40, seed);
      const whole = placeNodes(nodes, edges);
      expect(distinct(whole)).toBe(true);
      for (const { source, target } of edges) {
        expect((whole.get(source) as IPlace).layer).toBeLessThan(
          (whole.get(target) as IPlace).layer
        );
      }
      for (const last of [0, 1, 7, 20, 39]) {
        const old = nodes.filter(({ order }) => order <= last);
        const ids = new Set(old.map(({ id }) => id));
        const part = placeNodes(
          old,
          edges.filter(
            ({ source, target }) => ids.has(source) && ids.has(target)
          )
        );
        for (const [id, place] of part) {
          expect(whole.get(id)).toEqual(place);
        }
      }
    }
  });

  it('places 2,000 nodes with 2,500 edges within 50 ms', () => {
    const { nodes, edges } = aProject(1000, 11);
    expect(nodes.length).toBeGreaterThan(1900);
    expect(edges.length).toBeGreaterThan(2500);
    placeNodes(nodes, edges);
    const times = [1, 2, 3, 4, 5].map(() => {
      const start = performance.now();
      placeNodes(nodes, edges);
      return performance.now() - start;
    });
    expect(Math.min(...times)).toBeLessThan(50);
  });

  it('is fast where one file is read by all', () => {
    const runs = Array.from({ length: 20_000 }, (_, n) => node(`r${n}`, n + 1));
    const start = performance.now();
    const places = placeNodes(
      [node('raw', 0), ...runs],
      runs.map(({ id }) => edge('raw', id))
    );
    expect(performance.now() - start).toBeLessThan(1000);
    expect(places.get('r19999')).toEqual({ layer: 1, row: 19_999 });
  });
});

function distinct(places: Map<string, IPlace>): boolean {
  const seen = new Set(
    [...places.values()].map(({ layer, row }) => `${layer} ${row}`)
  );
  return seen.size === places.size;
}
