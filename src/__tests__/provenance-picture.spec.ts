// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IChoice } from '../provenance/arrange';
import { arrange } from '../provenance/arrange';
import { positionOf, viewOfAll } from '../provenance/camera';
import { ProvenanceGraph } from '../provenance/graph';
import { NODE } from '../provenance/nodes';
import type { Brush, IColours, ILook } from '../provenance/picture';
import { Picture, readColours } from '../provenance/picture';
import { aChain, aGraph, aPipeline } from './provenance-fixtures';

const COLOURS: IColours = {
  ground: 'ground',
  border: 'border',
  line: 'line',
  brand: 'brand',
  found: 'found',
  failed: 'failed',
  nodes: [0, 1, 2, 3, 4, 5, 6, 7].map(n => ({
    full: `full${n}`,
    pale: `pale${n}`
  }))
};

const WHOLE: ILook = { x: 0, y: 0, zoom: 0.1, width: 1000, height: 500 };
const NONE = { selected: null, found: new Set<string>() };

function choice(fields: Partial<IChoice> = {}): IChoice {
  return {
    focus: null,
    only: false,
    foldedUp: new Set(),
    foldedDown: new Set(),
    chains: [],
    ...fields
  };
}

/** A brush that tells what was done with it, with the colour and opacity at that time. */
function aBrush() {
  const done: string[] = [];
  const brush = {
    fillStyle: '',
    strokeStyle: '',
    globalAlpha: 1,
    lineWidth: 1,
    lineCap: 'butt'
  } as any;
  const round = (values: number[]) => values.map(v => v.toFixed(1)).join(' ');
  for (const name of ['fillRect', 'strokeRect', 'moveTo', 'lineTo']) {
    const style = name === 'fillRect' ? 'fillStyle' : 'strokeStyle';
    brush[name] = (...values: number[]) => {
      done.push(
        `${name} ${round(values)} ${brush[style]} ${brush.globalAlpha.toFixed(2)}`
      );
    };
  }
  for (const name of ['fill', 'stroke', 'bezierCurveTo', 'roundRect']) {
    brush[name] = () => {
      done.push(`${name} ${brush.strokeStyle}`);
    };
  }
  brush.beginPath = brush.closePath = () => undefined;
  brush.setLineDash = (dashes: number[]) => {
    done.push(`dash ${round(dashes)}`);
  };
  return { brush: brush as Brush, done };
}

function aGraphOf(...parts: Parameters<typeof aGraph>): ProvenanceGraph {
  const graph = new ProvenanceGraph();
  graph.merge(aGraph(...parts));
  return graph;
}

function aPicture(fields: Partial<IChoice> = {}) {
  const { nodes, edges, ...named } = aPipeline();
  const arrangement = arrange(aGraphOf(nodes, edges), choice(fields));
  const picture = new Picture(arrangement, ({ node }) =>
    node.source ? null : 1
  );
  return { picture, arrangement, ...named };
}

describe('Picture', () => {
  it('finds what is at a point, and nothing between', () => {
    const { picture, arrangement } = aPicture();
    for (const shown of arrangement.nodes.values()) {
      const { x, y } = positionOf(shown);
      const at = (dx: number, dy: number, zoom = 0.3) =>
        picture.nodeAt(x + dx, y + dy, zoom)?.id;
      expect(at(1, 1)).toBe(shown.id);
      expect(at(NODE.width - 1, NODE.height - 1)).toBe(shown.id);
      expect(at(NODE.width + 1, 1)).toBeUndefined();
      expect(at(1, NODE.height + 1)).toBeUndefined();
      // from far away one need not hit a node of a few dots exactly
      expect(at(NODE.width + 20, NODE.height + 5, 0.05)).toBe(shown.id);
      expect(at(-20, -5, 0.05)).toBe(shown.id);
    }
    expect(picture.nodeAt(-5, 5, 0.3)).toBeUndefined();
  });

  it('paints each node in its colour, once, where it is', () => {
    const { picture, arrangement, raw, failed } = aPicture();
    const { brush, done } = aBrush();
    picture.paintNodes(brush, WHOLE, NONE, COLOURS);
    const boxes = done.filter(each => each.startsWith('fillRect'));
    expect(boxes).toHaveLength(arrangement.nodes.size);
    const at = (id: string) => positionOf(arrangement.nodes.get(id)!);
    expect(boxes).toContain(
      `fillRect ${(at(raw.id).x / 10).toFixed(1)} ${(at(raw.id).y / 10).toFixed(1)} 20.0 5.2 pale7 1.00`
    );
    expect(boxes.filter(each => each.includes('pale1'))).toHaveLength(5);
    const outlines = done.filter(each => each.startsWith('strokeRect'));
    expect(outlines).toHaveLength(1);
    expect(outlines[0]).toContain(
      `strokeRect ${(at(failed.id).x / 10).toFixed(1)} `
    );
    expect(outlines[0]).toContain('failed');
  });

  it('leaves out what is not in view', () => {
    const { picture } = aPicture();
    const { brush, done } = aBrush();
    const away = { ...WHOLE, x: -5000 };
    picture.paintNodes(brush, away, NONE, COLOURS);
    picture.paintLines(brush, away, NONE, COLOURS);
    expect(done.filter(each => /Rect|moveTo/.test(each))).toEqual([]);
  });

  it('marks what was found, and the lines of what is selected', () => {
    const { picture, train, raw } = aPicture();
    const { brush, done } = aBrush();
    const marks = { selected: train.id, found: new Set([raw.id]) };
    picture.paintLines(brush, WHOLE, marks, COLOURS);
    const lines = done.filter(each => each.startsWith('moveTo'));
    expect(lines).toHaveLength(5);
    expect(lines.filter(each => each.includes('brand'))).toHaveLength(2);
    done.length = 0;
    picture.paintNodes(brush, WHOLE, marks, COLOURS);
    expect(done.filter(each => /strokeRect.* brand/.test(each))).toHaveLength(
      1
    );
    expect(done.filter(each => /strokeRect.* found/.test(each))).toHaveLength(
      1
    );
  });

  it('dims what is not looked at, and dashes what was observed', () => {
    const { model } = aPipeline();
    const { picture } = aPicture({ focus: { id: model.id, direction: 'up' } });
    const { brush, done } = aBrush();
    const near = { ...WHOLE, zoom: 0.5, width: 2000 };
    picture.paintLines(brush, near, NONE, COLOURS);
    expect(done.filter(each => /^moveTo .* 0\.11$/.test(each))).toHaveLength(1);
    expect(done).toContain('dash 2.5 2.0');
    done.length = 0;
    picture.paintNodes(brush, WHOLE, NONE, COLOURS);
    expect(done.filter(each => /^fillRect .* 0\.30$/.test(each))).toHaveLength(
      1
    );
  });

  it('reads the colours of the theme', () => {
    const host = document.createElement('div');
    host.style.setProperty('--jp-layout-color1', '#123');
    host.style.setProperty('--jp-dotscience-program0', '#456');
    document.body.append(host);
    const { nodes, ground } = readColours(host);
    host.remove();
    expect(ground).toBe('#123');
    expect(nodes[0]).toEqual({
      full: '#456',
      pale: 'color-mix(in srgb, #456 60%, #123)'
    });
    expect(nodes).toHaveLength(8);
  });
});

describe('the view of everything', () => {
  it('fits, and is no larger than life', () => {
    const { arrangement } = aPicture();
    expect(viewOfAll(arrangement, { width: 5000, height: 3000 }).zoom).toBe(1);
    const chain = aChain(1000);
    const long = arrange(aGraphOf(chain.nodes, chain.edges), choice());
    const { x, zoom } = viewOfAll(long, { width: 1000, height: 500 });
    expect(zoom).toBe(0.005);
    expect(x).toBeLessThan(0);
    const fitting = viewOfAll(arrangement, { width: 400, height: 500 });
    expect(fitting.x).toBeCloseTo(24);
  });
});
