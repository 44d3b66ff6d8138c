// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import { ApiError } from '../api/client';
import {
  isShared,
  saveDocuments,
  setShared,
  showWhatIsThere
} from '../documents';
import { withProgress } from '../progress';
import { messageOf } from '../reason';
import { formatTime, shortId } from '../run/format';
import type { HistoryClient } from './client';

/**
 * What bringing back works with.
 */
export interface IBringBack {
  /** The API. */
  client: Pick<ApiClient, 'commit' | 'commitDetail'>;

  /** The API of histories. */
  history: Pick<HistoryClient, 'versions' | 'bringBack'>;

  /** Contents path of the workspace. */
  workspace: string;

  /** The id of the commit. */
  commit: string;

  /** The file's path in the commit. */
  path: string;

  /** Path in the workspace of the file whose place it takes. */
  file: string;

  /** Contents path of that file. */
  contentsPath: string;

  /** The open documents of that file. */
  documents: () => DocumentRegistry.Context[];

  /** When that file was written; null where there is none. */
  modified: () => Promise<string | null>;

  /** Reads the file of the commit. */
  read: () => Promise<Contents.IModel>;

  /** Shows the difference and asks. */
  confirm: (question: string) => Promise<boolean>;

  /** The translations. */
  trans: TranslationBundle;
}

/**
 * Put a file of a commit in the place of the present one, once the user has seen the difference.
 *
 * @returns Whether it was done; what went wrong was told
 *
 * #### Notes
 * What is there is committed first. The server refuses where it is not any more what was shown. A
 * document that several people share is changed itself, since it is what the file is written from.
 */
export async function bringBack(options: IBringBack): Promise<boolean> {
  const { client, commit, contentsPath, file, history, trans, workspace } =
    options;
  const name = PathExt.basename(file);
  try {
    if (!(await saveFirst(options))) {
      return false;
    }
    const [detail, present, modified] = await Promise.all([
      client.commitDetail(workspace, commit),
      history.versions(workspace, file, { limit: 1 }),
      options.modified()
    ]);
    const then = formatTime(detail.created);
    const question =
      modified === null
        ? trans.__(
            'Bring %1 back as it was on %2? There is no such file now.',
            name,
            then
          )
        : trans.__(
            'Put %1 as it was on %2 in the place of what is there now, of %3? What is there now is committed first.',
            name,
            then,
            formatTime(modified)
          );
    if (!(await options.confirm(question))) {
      return false;
    }
    const documents = options.documents();
    if (documents.some(isUnsaved)) {
      throw new Error(
        trans.__(
          '%1 was edited since the difference was shown. Save it and look again.',
          name
        )
      );
    }
    const shared = documents.find(isShared);
    const message = await withProgress(
      trans.__('Bringing back %1…', name),
      shared
        ? changeShared(shared, options)
        : history
            .bringBack(
              workspace,
              commit,
              options.path,
              contentsPath,
              present.present
            )
            .then(result => result.message)
    );
    if (!shared) {
      await showWhatIsThere(options.documents(), trans);
    }
    Notification.success(message, { autoClose: 10000 });
    return true;
  } catch (reason) {
    const changed = reason instanceof ApiError && reason.code === 'changed';
    Notification.error(
      trans.__('%1 was not brought back: %2', name, messageOf(reason)),
      {
        autoClose: false,
        actions: changed
          ? [
              {
                label: trans.__('Look Again'),
                callback: () => void bringBack(options)
              }
            ]
          : []
      }
    );
    return false;
  }
}

/**
 * Save what is open of the file, if the user wants it: only what is saved can be compared.
 */
async function saveFirst(options: IBringBack): Promise<boolean> {
  const { documents, file, trans } = options;
  const unsaved = documents().filter(isUnsaved);
  if (unsaved.length === 0) {
    return true;
  }
  const answer = await showDialog({
    title: trans.__('Save %1 first?', PathExt.basename(file)),
    body: trans.__(
      'It has changes that are not saved. They are saved, and committed before anything is brought back, so that nothing is lost.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.okButton({ label: trans.__('Save and Go On') })
    ]
  });
  if (answer.button.accept) {
    await saveDocuments(unsaved, trans);
  }
  return answer.button.accept;
}

/**
 * Whether a document has changes that the user has to think of saving.
 *
 * #### Notes
 * A shared document is saved by itself all the time, and once more before it is changed.
 */
function isUnsaved(context: DocumentRegistry.Context): boolean {
  return context.model.dirty && !isShared(context);
}

/**
 * Change a document that several people share, between two commits.
 */
async function changeShared(
  context: DocumentRegistry.Context,
  options: IBringBack
): Promise<string> {
  const { client, commit, file, trans, workspace } = options;
  const content = await options.read();
  const id = shortId(commit);
  await context.save();
  await client.commit(
    workspace,
    trans.__('Before bringing back %1 as of %2', file, id)
  );
  setShared(context, content);
  await context.save();
  await client.commit(
    workspace,
    trans.__('Brought back %1 as of %2', file, id)
  );
  return trans.__(
    '%1 is as it was in commit %2. What was there before is committed.',
    file,
    id
  );
}
