// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
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

/**
 * Whether a document is shared with others while it is edited (jupyter-collaboration).
 *
 * #### Notes
 * Then it is the shared document that counts: the file is written from it.
 */
export function isShared(context: DocumentRegistry.Context): boolean {
  const { collaborative } = context.model as { collaborative?: boolean };
  return collaborative === true;
}

/**
 * Give a shared document the content of a file.
 */
export function setShared(
  context: DocumentRegistry.Context,
  file: Contents.IModel
): void {
  if (file.type === 'notebook') {
    context.model.fromJSON(file.content);
  } else {
    context.model.fromString(String(file.content));
  }
}

/**
 * Show what files hold now in the documents that are open.
 *
 * @param documents - Documents whose files were written by the server
 * @param read - Reads what a shared document is to hold; null leaves it as it is
 *
 * #### Notes
 * What was typed meanwhile is the user's: they are asked about it. A file that is gone leaves its
 * document as it was.
 */
export async function showWhatIsThere(
  documents: DocumentRegistry.Context[],
  trans: TranslationBundle,
  read: (
    context: DocumentRegistry.Context
  ) => Promise<Contents.IModel | null> = async () => null
): Promise<void> {
  for (const context of documents) {
    if (
      context.isDisposed ||
      (context.model.dirty && !(await mayDrop(context, trans)))
    ) {
      continue;
    }
    try {
      if (isShared(context)) {
        const file = await read(context);
        if (file !== null) {
          setShared(context, file);
          await context.save();
        }
      } else {
        await context.revert();
      }
    } catch {
      // the file is not there any more
    }
  }
}

/**
 * Ask whether what was typed may be dropped for what the file holds now.
 */
async function mayDrop(
  context: DocumentRegistry.Context,
  trans: TranslationBundle
): Promise<boolean> {
  const name = PathExt.basename(context.path);
  const answer = await showDialog({
    title: trans.__('Show what %1 holds now?', name),
    body: trans.__(
      'The file was replaced while you were editing it. Your edits are not saved. Keep them to look at them first, or drop them and show what the file holds now.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep My Edits') }),
      Dialog.warnButton({ label: trans.__('Drop Them') })
    ],
    defaultButton: 0
  });
  return answer.button.accept;
}
