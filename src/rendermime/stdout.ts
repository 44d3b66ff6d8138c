// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';

import { hideRunText } from './runtext';

/**
 * The MIME type under which a program's standard output is rendered.
 */
export const STDOUT_MIME_TYPE = 'application/vnd.jupyter.stdout';

const HIDDEN_CLASS = 'jp-DotscienceHidden';

/**
 * Make a factory that renders like another, with the published run texts folded away.
 *
 * @param stock - The factory in use so far.
 * @param trans - The translations.
 *
 * #### Notes
 * Everything but the run texts is the stock renderer's: it gets a model of what is left, and its
 * own node stays the output's node, so that styles, search and links work as ever. The
 * notebook's data is not touched.
 */
export function createStdoutFactory(
  stock: IRenderMime.IRendererFactory,
  trans: TranslationBundle
): IRenderMime.IRendererFactory {
  return {
    safe: stock.safe,
    mimeTypes: [STDOUT_MIME_TYPE],
    defaultRank: stock.defaultRank,
    createRenderer: options => foldRunText(stock.createRenderer(options), trans)
  };
}

/**
 * Have a renderer fold run texts away.
 */
function foldRunText(
  renderer: IRenderMime.IRenderer,
  trans: TranslationBundle
): IRenderMime.IRenderer {
  const renderStock = renderer.renderModel.bind(renderer);
  let round = 0;
  let open = false;

  renderer.renderModel = async (model: IRenderMime.IMimeModel) => {
    const current = ++round;
    const source = model.data[STDOUT_MIME_TYPE];
    const { text, hidden } = hideRunText(
      typeof source === 'string' ? source : ''
    );
    if (hidden.length === 0) {
      removeFold(renderer.node);
      await renderStock(model);
      return;
    }
    await renderStock({
      trusted: model.trusted,
      metadata: model.metadata,
      data: { ...model.data, [STDOUT_MIME_TYPE]: text },
      setData: options => model.setData(options)
    });
    // while output streams in, a newer rendering may have overtaken this one
    if (current !== round || renderer.isDisposed) {
      return;
    }
    removeFold(renderer.node);
    renderer.node.appendChild(
      createFold(hidden, open, trans, isOpen => {
        open = isOpen;
      })
    );
  };
  return renderer;
}

function removeFold(node: HTMLElement): void {
  for (const child of Array.from(node.children)) {
    if (child.classList.contains(HIDDEN_CLASS)) {
      child.remove();
    }
  }
}

function createFold(
  hidden: string[],
  open: boolean,
  trans: TranslationBundle,
  onToggle: (open: boolean) => void
): HTMLElement {
  const fold = document.createElement('details');
  fold.className = HIDDEN_CLASS;
  fold.open = open;
  const summary = document.createElement('summary');
  summary.textContent = trans._n(
    'run text hidden',
    '%1 run texts hidden',
    hidden.length,
    hidden.length
  );
  summary.title = trans.__(
    'The text that publishes a run. It is kept in the notebook for other programs.'
  );
  const text = document.createElement('pre');
  text.textContent = hidden.join('\n');
  fold.append(summary, text);
  fold.addEventListener('toggle', () => onToggle(fold.open));
  return fold;
}
