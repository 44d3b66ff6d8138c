// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { parseDrivePath } from '../drive/paths';
// Renderers are made at once when a cell needs one, without a moment to load them in.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { createCardFactory } from '../rendermime/card';
import { STDOUT_MIME_TYPE, createStdoutFactory } from '../rendermime/stdout';
import { TRANSLATION_DOMAIN } from '../tokens';

/**
 * The card of a published run.
 */
export const cardPlugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:card',
  description: 'Draws published runs in cell outputs as cards.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    registry: IRenderMimeRegistry,
    translator: ITranslator | null
  ): void => {
    const { commands, serviceManager } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    registry.addFactory(
      createCardFactory((run, resolver) => {
        const path = documentPath(resolver);
        const workspace =
          path === null
            ? undefined
            : (parseDrivePath(path)?.workspace ??
              PathExt.dirname(serviceManager.contents.localPath(path)));
        if (commands.hasCommand(CommandIDs.openRun)) {
          void commands.execute(CommandIDs.openRun, { run, workspace });
        }
      }, trans)
    );
  }
};

/**
 * The path of the document that an output is in; resolvers of documents know it.
 */
function documentPath(resolver: IRenderMime.IResolver | null): string | null {
  const path = (resolver as { path?: unknown } | null)?.path;
  return typeof path === 'string' && path !== '' ? path : null;
}

/**
 * The text form of published runs, folded away.
 */
export const runTextPlugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:run-text',
  description: 'Folds away the text form of published runs in cell outputs.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    registry: IRenderMimeRegistry,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const stock = registry.getFactory(STDOUT_MIME_TYPE);
    if (stock) {
      registry.addFactory(
        createStdoutFactory(stock, trans),
        registry.getRank(STDOUT_MIME_TYPE)
      );
    }
  }
};
