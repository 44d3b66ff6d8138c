// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ApiClient } from '../api/client';
import { chooseMoment } from '../difference/choose';
import { unsavedDocuments } from '../documents';
import { withProgress } from '../progress';
import { messageOf } from '../reason';
import { MergeClient } from './client';
import { saveBefore } from './documents';

/**
 * Begin a merge, unless one is under way.
 *
 * @param options.root - Contents path of the workspace's root
 * @param options.theirs - Whose changes to take in; the user is asked where it is empty
 * @returns Whether a merge is under way now
 */
export async function beginMerge(options: {
  app: JupyterFrontEnd;
  client: ApiClient;
  documents: IDocumentManager | null;
  root: string;
  theirs: string;
  trans: TranslationBundle;
}): Promise<boolean> {
  const { app, client, documents, root, trans } = options;
  const api = new MergeClient(client.serverSettings, root);
  try {
    if (await api.current()) {
      if (options.theirs) {
        Notification.info(
          trans.__(
            'A merge is under way already: finish it, or give it up, before another.'
          ),
          { autoClose: 8000 }
        );
      }
      return true;
    }
    const theirs =
      options.theirs ||
      (await chooseMoment({
        client,
        workspace: root,
        title: trans.__('Merge into the Workspace'),
        label: trans.__('Take in the changes of:'),
        now: false,
        trans
      }));
    if (!theirs) {
      return false;
    }
    const unsaved = documents
      ? unsavedDocuments(
          app.shell,
          documents,
          app.serviceManager.contents,
          root
        )
      : [];
    if (!(await saveBefore(unsaved, trans))) {
      return false;
    }
    await withProgress(trans.__('Preparing the merge…'), api.start(theirs));
    return true;
  } catch (reason) {
    Notification.error(
      trans.__('The merge was not begun: %1', messageOf(reason)),
      { autoClose: false }
    );
    return false;
  }
}
