// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  InputDialog,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog } from '@jupyterlab/filebrowser';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { AttachedDataset, DatasetStatus, Workspace } from '../api/schema';
import { asApiError } from '../request';
import { withProgress } from '../progress';
import type { SyncClient } from '../sync/client';
import { logIn } from '../sync/connect';
import type { IWorkspaceTracker } from '../tokens';
import type { DatasetsClient } from './client';
import {
  OTHER_HUB,
  askAttach,
  askCreate,
  type IAttachAnswer,
  type ICreateAnswer
} from './dialogs';
import type { DatasetsState } from './state';

/** For how long good news is shown, in ms. */
const GOOD_NEWS = 5000;

/** A notification holds 140 characters; what is longer is in a dialog. */
const SHORT = 100;

/** Goes to a folder in the file browser; an application may have none. */
const GO_TO_PATH = 'filebrowser:go-to-path';

/** What a name of a dataset cannot hold. */
const NOT_IN_NAMES = /[^A-Za-z0-9_-]+/g;

/**
 * What the commands work with.
 */
export interface IDatasetsParts {
  app: JupyterFrontEnd;
  tracker: IWorkspaceTracker;
  datasets: DatasetsState;
  client: DatasetsClient;
  sync: SyncClient;
  documents: IDocumentManager | null;
  trans: TranslationBundle;
}

/** The arguments of a command. */
export interface IDatasetArgs {
  /** The name of an attached dataset. */
  dataset: string;

  /** One of its versions. */
  version: string;
}

type Action = (
  parts: IDatasetsParts,
  workspace: Workspace,
  args: IDatasetArgs
) => Promise<void>;

/**
 * Do something with the datasets of the workspace at hand; what goes wrong is told.
 */
export async function act(
  parts: IDatasetsParts,
  action: Action,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { tracker, trans } = parts;
  const { workspace } = tracker;
  if (!workspace) {
    Notification.info(trans.__('The folder at hand is not tracked.'), {
      autoClose: GOOD_NEWS
    });
    return;
  }
  try {
    await action(parts, workspace, {
      dataset: typeof args.dataset === 'string' ? args.dataset : '',
      version: typeof args.version === 'string' ? args.version : ''
    });
  } catch (reason) {
    tell(parts, reason);
    // What is attached may be otherwise all the same.
    void parts.datasets.load();
  }
}

/**
 * Have the user choose a dataset, and attach it.
 */
export async function attach(
  parts: IDatasetsParts,
  workspace: Workspace
): Promise<void> {
  const { client, sync, trans } = parts;
  const [known, hubs] = await withProgress(
    trans.__('Looking for datasets…'),
    Promise.all([client.known(workspace.path), sync.hubs()])
  );
  const free = known.find(each => !each.attached) ?? known[0];
  let value: IAttachAnswer = {
    source: '',
    name: free?.name ?? '',
    project: '',
    version: '',
    to: '',
    isWritable: false
  };
  let error = '';
  for (;;) {
    const answer = await askAttach({
      value,
      known,
      hubs,
      workspace: workspace.path,
      client,
      error,
      trans
    });
    if (!answer) {
      return;
    }
    value = answer;
    error = '';
    const { isWritable, name, project, source, to, version } = value;
    if (source === OTHER_HUB) {
      const login = await logIn({
        client: sync,
        trans,
        url: '',
        error: '',
        isFixed: false
      });
      if (login && !hubs.some(({ url }) => url === login.url)) {
        hubs.push(login);
      }
      value = { ...value, source: login?.url ?? '', name: '' };
      continue;
    }
    if (source ? !project : !name) {
      error = trans.__('Choose a dataset.');
      continue;
    }
    try {
      const status = await client.attach(workspace.path, {
        name: name.trim(),
        ...(source && { url: source, project }),
        version,
        to: to.trim(),
        mode: isWritable ? 'write' : 'read'
      });
      const done = trans.__('The dataset is attached.');
      takeAndTell(parts, workspace, status, done);
      return;
    } catch (reason) {
      error = asApiError(reason).message;
    }
  }
}

/**
 * Have the user choose a folder, make a dataset of it, and attach that.
 */
export async function create(
  parts: IDatasetsParts,
  workspace: Workspace
): Promise<void> {
  const { client, documents, trans } = parts;
  let folder = '';
  if (documents) {
    const chosen = await FileDialog.getExistingDirectory({
      manager: documents,
      title: trans.__('Choose the Folder of the Dataset'),
      label: trans.__('Its files, as they are now, are the first version.'),
      defaultPath: workspace.path
    });
    const path = chosen.value?.[0]?.path;
    if (!chosen.button.accept || path === undefined) {
      return;
    }
    folder = path;
  }
  let value: ICreateAnswer = {
    name: PathExt.basename(folder)
      .replace(NOT_IN_NAMES, '-')
      .replace(/^-+/, '')
      .slice(0, 64),
    folder,
    message: trans.__('Initial commit'),
    to: '',
    isWritable: false
  };
  let error = '';
  for (;;) {
    const answer = await askCreate({ value, error, trans });
    if (!answer) {
      return;
    }
    value = answer;
    const { isWritable, message, name, to } = value;
    try {
      const status = await client.create(workspace.path, {
        name: name.trim(),
        folder: value.folder.trim(),
        message,
        to: to.trim(),
        mode: isWritable ? 'write' : 'read'
      });
      const done = trans.__('%1 is a dataset now, and attached.', name.trim());
      takeAndTell(parts, workspace, status, done);
      return;
    } catch (reason) {
      error = asApiError(reason).message;
    }
  }
}

/**
 * Attach another version of a dataset, where it is: the newest one, or one that is named.
 */
export async function useVersion(
  parts: IDatasetsParts,
  workspace: Workspace,
  args: IDatasetArgs
): Promise<void> {
  const { client, trans } = parts;
  const attached = find(parts, args);
  // what was attached as the newest goes on to follow it
  const newest = attached.pinned === null ? '' : (attached.newest?.id ?? '');
  const status = await client.attach(workspace.path, {
    name: attached.name,
    version: args.version || newest,
    mode: attached.mode
  });
  const done = trans.__('Another version of %1 is attached.', attached.name);
  takeAndTell(parts, workspace, status, done);
}

/**
 * Take a dataset out of the workspace, if the user means it.
 */
export async function detach(
  parts: IDatasetsParts,
  workspace: Workspace,
  args: IDatasetArgs
): Promise<void> {
  const { client, trans } = parts;
  const { name, path } = find(parts, args);
  const { button } = await showDialog({
    title: trans.__('Detach the dataset?'),
    body: trans.__(
      '%1 does not appear at %2 any more, so code that reads it there fails. The dataset and all its versions stay as they are; attach it again at any time.',
      name,
      path
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Detach') })
    ],
    defaultButton: 0
  });
  if (button.accept) {
    const status = await client.detach(workspace.path, name);
    takeAndTell(parts, workspace, status, trans.__('%1 is detached.', name));
  }
}

/**
 * Bring the newest version of a dataset from its hub; what is attached stays as it is.
 */
export async function fetch(
  parts: IDatasetsParts,
  workspace: Workspace,
  args: IDatasetArgs
): Promise<void> {
  const { client, datasets, trans } = parts;
  const { name } = find(parts, args);
  const status = await withProgress(
    trans.__('Asking the hub…'),
    client.fetch(workspace.path, name)
  );
  datasets.take(status);
  if (!status.work) {
    const found = status.items.find(each => each.name === name);
    succeed(
      found?.newer
        ? trans.__('There is a newer version of %1.', name)
        : trans.__('There is nothing newer on the hub.')
    );
  }
}

/**
 * Attach again what the workspace's file says: one dataset, or all.
 */
export async function restore(
  parts: IDatasetsParts,
  workspace: Workspace,
  args: IDatasetArgs
): Promise<void> {
  const { client, trans } = parts;
  const status = await client.restore(workspace.path, args.dataset);
  const done = args.dataset
    ? trans.__('%1 is attached again.', args.dataset)
    : trans.__('All datasets of this workspace are attached.');
  takeAndTell(parts, workspace, status, done);
}

/**
 * Make a version of the live folder of a dataset.
 */
export async function save(
  parts: IDatasetsParts,
  workspace: Workspace,
  args: IDatasetArgs
): Promise<void> {
  const { client, trans } = parts;
  const { name } = find(parts, args);
  const { button, value } = await InputDialog.getText({
    title: trans.__('Save a Version of %1', name),
    label: trans.__('What this version is'),
    okLabel: trans.__('Save')
  });
  if (button.accept) {
    const status = await client.save(workspace.path, name, value ?? '');
    const done = trans.__('%1 has a new version.', name);
    takeAndTell(parts, workspace, status, done);
  }
}

/**
 * End what is done with a dataset.
 */
export async function stop(
  parts: IDatasetsParts,
  workspace: Workspace
): Promise<void> {
  parts.datasets.take(await parts.client.stop(workspace.path));
}

/**
 * Show the folder of a dataset in the file browser.
 */
export async function show(
  parts: IDatasetsParts,
  _: Workspace,
  args: IDatasetArgs
): Promise<void> {
  const { app, trans } = parts;
  const { folder, path } = find(parts, args);
  if (folder === null || !app.commands.hasCommand(GO_TO_PATH)) {
    Notification.info(
      trans.__('%1 cannot be shown in a file browser here.', path),
      { autoClose: GOOD_NEWS }
    );
    return;
  }
  await app.commands.execute(GO_TO_PATH, { path: folder });
}

/** The attached dataset that is meant. */
function find(parts: IDatasetsParts, args: IDatasetArgs): AttachedDataset {
  const { datasets, trans } = parts;
  const found = datasets.status?.items.find(each => each.name === args.dataset);
  if (!found) {
    throw new Error(
      trans.__('No dataset %1 is attached to this workspace.', args.dataset)
    );
  }
  return found;
}

/** Take what the server answered; what goes on is told by the panel, what is done is told here. */
function takeAndTell(
  parts: IDatasetsParts,
  workspace: Workspace,
  status: DatasetStatus,
  done: string
): void {
  if (parts.tracker.workspace?.id === workspace.id) {
    parts.datasets.take(status);
  }
  if (!status.work) {
    succeed(done);
  }
}

function succeed(message: string): void {
  Notification.success(message, { autoClose: GOOD_NEWS });
}

/** Tell what went wrong. */
function tell(parts: IDatasetsParts, reason: unknown): void {
  const { trans } = parts;
  const { message } = asApiError(reason);
  Notification.error(message, {
    autoClose: false,
    actions:
      message.length > SHORT
        ? [
            {
              label: trans.__('Show'),
              callback: () =>
                void showErrorMessage(trans.__('What happened'), message)
            }
          ]
        : []
  });
}
