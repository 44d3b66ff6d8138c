// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import type { IDatasetsParts } from '../datasets/actions';
import { DatasetsClient } from '../datasets/client';
import { DatasetsState } from '../datasets/state';
import { datasetIcon } from '../icons';
import { SyncClient } from '../sync/client';
import {
  IDatasetsState,
  IWorkspaceTracker,
  TRANSLATION_DOMAIN
} from '../tokens';

/** What can be done with datasets, as `../datasets/actions` calls it. */
type DatasetAction =
  | 'attach'
  | 'create'
  | 'useVersion'
  | 'detach'
  | 'fetch'
  | 'restore'
  | 'save'
  | 'show'
  | 'stop';

/**
 * Provides what is known of the datasets of the workspace at hand, and the commands for them.
 */
const plugin: JupyterFrontEndPlugin<IDatasetsState> = {
  id: 'dotscience-jupyter:datasets',
  description:
    'Provides the datasets of the workspace at hand, and the commands that attach them.',
  autoStart: true,
  provides: IDatasetsState,
  requires: [IWorkspaceTracker],
  optional: [IDocumentManager, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: IWorkspaceTracker,
    documents: IDocumentManager | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): IDatasetsState => {
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const { serverSettings } = tracker.client;
    const client = new DatasetsClient(serverSettings);
    const datasets = new DatasetsState(tracker, client);
    addCommands({
      app,
      tracker,
      datasets,
      client,
      sync: new SyncClient(serverSettings),
      documents,
      trans
    });
    const category = trans.__('Dotscience');
    for (const command of [
      CommandIDs.attachDataset,
      CommandIDs.createDataset,
      CommandIDs.restoreDatasets
    ]) {
      palette?.addItem({ command, category });
    }
    // Whoever has the workspace read again may have attached something with another program.
    commands.commandExecuted.connect((_, { id }) => {
      if (id === CommandIDs.refresh) {
        void datasets.load();
      }
    });
    return datasets;
  }
};

export default plugin;

/**
 * Add the commands that act on the datasets of the workspace at hand.
 */
function addCommands(parts: IDatasetsParts): void {
  const { app, datasets, tracker, trans } = parts;
  const { commands } = app;
  const ids: string[] = [];
  const dataset = {
    type: 'string',
    description: trans.__('What the workspace calls the dataset')
  };
  const add = (
    id: string,
    action: DatasetAction,
    words: { label: string; caption: string },
    properties: Record<string, { type: string; description: string }> = {}
  ): void => {
    commands.addCommand(id, {
      ...words,
      icon: datasetIcon,
      isEnabled: () => tracker.workspace !== null,
      describedBy: { args: { type: 'object', properties } },
      execute: async args => {
        const actions = await import('../datasets/actions');
        return actions.act(parts, actions[action], args);
      }
    });
    ids.push(id);
  };
  add(CommandIDs.attachDataset, 'attach', {
    label: trans.__('Attach a Dataset…'),
    caption: trans.__(
      'Let a dataset of this machine, or of a hub, appear in this workspace'
    )
  });
  add(CommandIDs.createDataset, 'create', {
    label: trans.__('New Dataset from a Folder…'),
    caption: trans.__(
      'Give a folder versions of its own, and let it appear in this workspace'
    )
  });
  add(
    CommandIDs.restoreDatasets,
    'restore',
    {
      label: trans.__('Attach the Datasets of this Workspace Again'),
      caption: trans.__(
        'Bring what this workspace uses to this machine, and let it appear, as after a clone'
      )
    },
    { dataset }
  );
  add(
    CommandIDs.useDatasetVersion,
    'useVersion',
    {
      label: trans.__('Use Another Version of a Dataset'),
      caption: trans.__('Let that version appear in the place of the present')
    },
    {
      dataset,
      version: {
        type: 'string',
        description: trans.__('The version; the newest when absent')
      }
    }
  );
  add(
    CommandIDs.fetchDataset,
    'fetch',
    {
      label: trans.__('Ask the Hub for a Newer Version of a Dataset'),
      caption: trans.__(
        'Bring the newest version from the hub; what is attached stays as it is'
      )
    },
    { dataset }
  );
  add(
    CommandIDs.saveDataset,
    'save',
    {
      label: trans.__('Save a Version of a Dataset…'),
      caption: trans.__('Make a version of the folder as it is now')
    },
    { dataset }
  );
  add(
    CommandIDs.showDataset,
    'show',
    {
      label: trans.__('Show a Dataset in the File Browser'),
      caption: trans.__('Go to the folder where the dataset appears')
    },
    { dataset }
  );
  add(
    CommandIDs.detachDataset,
    'detach',
    {
      label: trans.__('Detach a Dataset…'),
      caption: trans.__(
        'Take the dataset out of this workspace; the dataset itself stays as it is'
      )
    },
    { dataset }
  );
  add(CommandIDs.stopDatasets, 'stop', {
    label: trans.__('Stop what Is Done with Datasets'),
    caption: trans.__('End it; what was moved already need not be moved again')
  });
  const changed = (): void =>
    ids.forEach(id => commands.notifyCommandChanged(id));
  datasets.changed.connect(changed);
  tracker.workspaceChanged.connect(changed);
}
