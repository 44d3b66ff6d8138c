// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

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
  return openDocuments(shell, documents, contents, folder).filter(
    context => context.model.dirty
  );
}

/**
 * The open documents below a folder that may be written.
 *
 * @param shell - Where the documents are open
 * @param documents - Knows the document of a tab
 * @param contents - Knows drives
 * @param folder - Contents path of the folder
 */
export function openDocuments(
  shell: JupyterFrontEnd.IShell,
  documents: IDocumentManager,
  contents: Contents.IManager,
  folder: string
): DocumentRegistry.Context[] {
  // A document may be open in several tabs.
  const found = new Set<DocumentRegistry.Context>();
  for (const widget of shell.widgets('main')) {
    const context = documents.contextForWidget(widget);
    if (!context || !isWritable(context)) {
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
 * Save documents. Reject if one cannot be saved.
 */
export async function saveDocuments(
  unsaved: DocumentRegistry.Context[],
  trans: TranslationBundle
): Promise<void> {
  await Promise.all(
    unsaved.map(async context => {
      try {
        await context.save();
      } catch {
        // The document has told why in a dialog of its own.
        throw new Error(
          trans.__('%1 could not be saved.', PathExt.basename(context.path))
        );
      }
    })
  );
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
