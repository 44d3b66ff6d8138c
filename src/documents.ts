// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

import { serverPath } from './follow';
import { isInside } from './model';

/**
 * The open documents below a folder that have changes which are not saved.
 *
 * @param shell - Where the documents are open
 * @param documents - Knows the document of a tab
 * @param contents - Knows drives
 * @param folder - Contents path of the folder
 */
export function unsavedDocuments(
  shell: JupyterFrontEnd.IShell,
  documents: IDocumentManager,
  contents: Contents.IManager,
  folder: string
): DocumentRegistry.Context[] {
  // A document may be open in several tabs.
  const found = new Set<DocumentRegistry.Context>();
  for (const widget of shell.widgets('main')) {
    const context = documents.contextForWidget(widget);
    if (!context || !context.model.dirty || !isWritable(context)) {
      continue;
    }
    const path = serverPath(contents, context.path);
    if (path !== null && isInside(path, folder)) {
      found.add(context);
    }
  }
  return [...found];
}

/**
 * Whether a document may be saved at all.
 */
export function isWritable(context: DocumentRegistry.Context): boolean {
  return (
    !context.isDisposed &&
    !context.model.readOnly &&
    context.contentsModel?.writable !== false
  );
}
