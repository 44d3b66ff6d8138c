// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { PartialJSONObject } from '@lumino/coreutils';

import type { Blob as OutputBlob, CellOutput } from '../api/schema';

/** Images in the order in which they are preferred. */
const IMAGES = [
  'image/svg+xml',
  'image/png',
  'image/jpeg',
  'image/webp',
  'image/gif',
  'image/bmp'
];

/**
 * What of an output is shown: an image, an image to be asked for, or forms to choose from, of which
 * the large ones are asked for.
 */
export type ShownOutput =
  | { kind: 'image'; type: string; data: string; isText: boolean }
  | { kind: 'blob'; blob: OutputBlob }
  | { kind: 'bundle'; data: PartialJSONObject; more: OutputBlob[] };

/**
 * What is shown of an output.
 *
 * #### Notes
 * Images are shown as images of the browser, in which nothing is executed.
 */
export function shownOutput({ output, blobs }: CellOutput): ShownOutput {
  const data = bundleOf(output);
  const large = blobs.find(blob => IMAGES.includes(blob.mime));
  if (large) {
    return { kind: 'blob', blob: large };
  }
  const type = IMAGES.find(name => name in data);
  if (type !== undefined) {
    return {
      kind: 'image',
      type,
      data: textOf(data[type]),
      isText: type === 'image/svg+xml'
    };
  }
  return { kind: 'bundle', data, more: blobs };
}

/**
 * The forms of an output of nbformat, by MIME type.
 */
export function bundleOf(output: Record<string, unknown>): PartialJSONObject {
  switch (output.output_type) {
    case 'stream':
      return {
        [`application/vnd.jupyter.${output.name === 'stderr' ? 'stderr' : 'stdout'}`]:
          textOf(output.text)
      };
    case 'error': {
      const traceback = textOf(output.traceback, '\n');
      const said = [output.ename, output.evalue].map(part => textOf(part));
      return {
        'application/vnd.jupyter.stderr': traceback || said.join(': ')
      };
    }
    default: {
      const data = output.data;
      return isObject(data) ? (data as PartialJSONObject) : {};
    }
  }
}

/**
 * The bytes of an image in an output.
 *
 * @param isText - Whether it is text rather than base64
 */
export function imageBlob(data: string, type: string, isText: boolean): Blob {
  if (isText) {
    return new Blob([data], { type });
  }
  const binary = atob(data.replace(/\s/g, ''));
  return new Blob([Uint8Array.from(binary, char => char.charCodeAt(0))], {
    type
  });
}

/**
 * Text that nbformat may keep as a list of lines.
 */
export function textOf(value: unknown, joint = ''): string {
  if (Array.isArray(value)) {
    return value.map(part => String(part)).join(joint);
  }
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
