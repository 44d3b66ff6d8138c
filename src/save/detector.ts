// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IOutputModel } from '@jupyterlab/rendermime';

import { RUN_MIME_TYPE } from '../tokens';

/** The end of a run in the public text format. */
const MARKER = '[[/DOTSCIENCE-RUN:';

/**
 * Tells whether a cell's output has come to hold a published run.
 *
 * #### Notes
 * Text that is printed grows piece by piece; only what is new is looked at, so a cell that
 * prints a million lines costs no more than its text.
 */
export class PublishDetector {
  /**
   * Look at an output that was added or has changed.
   *
   * @returns Whether it holds a run that it did not hold when it was last looked at
   */
  hasNewRun(output: IOutputModel): boolean {
    if (output.type === 'stream') {
      return this._hasNewMarker(output);
    }
    if (this._seen.has(output) || !(RUN_MIME_TYPE in output.data)) {
      return false;
    }
    this._seen.add(output);
    return true;
  }

  private _hasNewMarker(output: IOutputModel): boolean {
    const text = streamText(output);
    const known = this._lengths.get(output) ?? 0;
    this._lengths.set(output, text.length);
    if (text.length < known) {
      // Carriage returns took back what was printed; what stands there now is new.
      return text.includes(MARKER);
    }
    // The marker may have come in two pieces.
    return text.slice(Math.max(0, known - MARKER.length + 1)).includes(MARKER);
  }

  private _lengths = new WeakMap<IOutputModel, number>();
  private _seen = new WeakSet<IOutputModel>();
}

function streamText(output: IOutputModel): string {
  if (output.streamText) {
    return output.streamText.text;
  }
  const { text } = output.toJSON() as { text?: string | string[] };
  return Array.isArray(text) ? text.join('') : (text ?? '');
}
