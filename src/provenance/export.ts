// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { IShownNode } from './arrange';
import { positionOf } from './camera';
import type { ExportFormat } from './client';
import { curveOf } from './edges';
import type { ProvenanceModel } from './model';
import { NODE } from './nodes';
import { nodeSubtitle, shownTitle } from './words';

/**
 * The forms in which a graph can be saved.
 */
export type SaveFormat = ExportFormat | 'svg' | 'png';

/** The largest side of a picture of dots, in pixels; browsers draw no larger ones. */
const MAX_SIDE = 8192;

const MARGIN = 24;

const SVG = 'http://www.w3.org/2000/svg';

const ENDINGS: { [format in SaveFormat]: string } = {
  svg: 'svg',
  png: 'png',
  prov: 'prov.json',
  openlineage: 'openlineage.json',
  dot: 'dot'
};

/**
 * Save the graph as a file of the user's own computer.
 *
 * @param model - The graph
 * @param format - The form
 * @param styles - Where the theme's colours are read
 */
export async function saveGraph(
  model: ProvenanceModel,
  format: SaveFormat,
  styles: Element,
  trans: TranslationBundle
): Promise<void> {
  let blob: Blob;
  if (format === 'svg' || format === 'png') {
    const picture = drawPicture(model, styles, trans);
    blob = new Blob([new XMLSerializer().serializeToString(picture)], {
      type: 'image/svg+xml'
    });
    if (format === 'png') {
      blob = await toDots(blob, picture);
    }
  } else {
    blob = await model.client.export(model.query, format);
  }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = fileName(model.query.start, format);
  link.click();
  // the browser has begun to read it by then
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/**
 * What the file is called.
 */
export function fileName(start: string, format: SaveFormat): string {
  const name = start.replace(/[^\w.-]+/g, '-').slice(0, 80);
  return `provenance${name ? `-${name}` : ''}.${ENDINGS[format]}`;
}

/**
 * Draw what is shown as a picture of its own, with the colours of the theme.
 */
export function drawPicture(
  model: ProvenanceModel,
  styles: Element,
  trans: TranslationBundle
): SVGSVGElement {
  const computed = getComputedStyle(styles);
  const colour = (name: string, otherwise: string): string =>
    computed.getPropertyValue(name).trim() || otherwise;
  const ink = colour('--jp-ui-font-color1', '#222');
  const faint = colour('--jp-ui-font-color2', '#666');
  const ground = colour('--jp-layout-color1', '#fff');
  const border = colour('--jp-border-color1', '#bbb');
  const line = colour('--jp-dotscience-edge', '#888');
  const { nodes, edges } = model.arrangement;
  const all = [...nodes.values()];
  const size = {
    width:
      Math.max(0, ...all.map(shown => positionOf(shown).x)) +
      NODE.width +
      2 * MARGIN,
    height:
      Math.max(0, ...all.map(shown => positionOf(shown).y)) +
      NODE.height +
      2 * MARGIN
  };
  const svg = make('svg', {
    width: size.width,
    height: size.height,
    viewBox: `${-MARGIN} ${-MARGIN} ${size.width} ${size.height}`,
    'font-family': 'system-ui, sans-serif',
    'font-size': 12
  });
  svg.append(
    make('rect', {
      x: -MARGIN,
      y: -MARGIN,
      width: size.width,
      height: size.height,
      fill: ground
    })
  );
  for (const edge of edges) {
    const from = nodes.get(edge.source);
    const to = nodes.get(edge.target);
    if (from && to) {
      svg.append(
        make('path', {
          d: curve(from, to),
          fill: 'none',
          stroke: line,
          'stroke-width': 1.2,
          ...(edge.derived ? { 'stroke-dasharray': '5 4' } : {}),
          ...(edge.dimmed ? { opacity: 0.25 } : {})
        })
      );
    }
  }
  for (const shown of all) {
    const { x, y } = positionOf(shown);
    const index = model.colourOf(model.programOf(shown.node.id));
    const group = make('g', {
      transform: `translate(${x} ${y})`,
      ...(shown.dimmed ? { opacity: 0.35 } : {})
    });
    group.append(
      make('rect', {
        ...NODE,
        rx: shown.kind === 'file' ? 0 : 8,
        fill: ground,
        stroke: border
      }),
      make('rect', {
        width: 5,
        height: NODE.height,
        fill:
          index === null
            ? border
            : colour(`--jp-dotscience-program${index}`, border)
      }),
      text(cut(shownTitle(shown, trans)), 14, 22, ink),
      text(cut(subtitle(shown, trans)), 14, 40, faint)
    );
    svg.append(group);
  }
  return svg;
}

function subtitle(shown: IShownNode, trans: TranslationBundle): string {
  const { node, kind } = shown;
  if (kind === 'chain') {
    return '';
  }
  return [
    node.status === 'failed' ? trans.__('✕ failed') : '',
    node.source ? trans.__('raw data') : '',
    node.models.length > 0 ? trans.__('★ %1', node.models.join(', ')) : '',
    nodeSubtitle(node, trans)
  ]
    .filter(part => part !== '')
    .join(' · ');
}

function curve(from: IShownNode, to: IShownNode): string {
  const { start, end, middle } = curveOf(from, to);
  return `M ${start.x} ${start.y} C ${middle} ${start.y} ${middle} ${end.y} ${end.x} ${end.y}`;
}

function make<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string | number>
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, String(value));
  }
  return element;
}

function text(content: string, x: number, y: number, fill: string): SVGElement {
  const element = make('text', { x, y, fill });
  element.textContent = content;
  return element;
}

/** Text of others may hold what XML cannot. */
function cut(content: string): string {
  const plain = content.replace(
    // eslint-disable-next-line no-control-regex -- XML cannot hold these
    /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g,
    '\ufffd'
  );
  return plain.length > 30 ? `${plain.slice(0, 29)}…` : plain;
}

/**
 * Turn a drawing into dots, smaller where it would be too large.
 */
async function toDots(drawing: Blob, size: SVGSVGElement): Promise<Blob> {
  const width = Number(size.getAttribute('width'));
  const height = Number(size.getAttribute('height'));
  const scale = Math.min(2, MAX_SIDE / width, MAX_SIDE / height);
  const image = new Image();
  const url = URL.createObjectURL(drawing);
  try {
    image.src = url;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = Math.ceil(width * scale);
    canvas.height = Math.ceil(height * scale);
    canvas
      .getContext('2d')
      ?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob(blob => {
        if (blob) {
          resolve(blob);
        } else {
          reject(new Error('The browser could not draw the picture.'));
        }
      }, 'image/png');
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}
