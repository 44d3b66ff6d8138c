// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  INotebookTracker,
  type INotebookModel,
  type NotebookPanel
} from '@jupyterlab/notebook';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { serverPath } from '../follow';
import type { NotebookSaver } from '../save/saver';

const PLUGIN_ID = 'dotscience-jupyter:save';

/**
 * Saves a notebook at once when a run is published in it.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Saves a notebook at once when a run is published in it.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    registry: ISettingRegistry | null
  ) => {
    let isEnabled = true;
    const onSettings = (settings: ISettingRegistry.ISettings) => {
      isEnabled = settings.get('saveOnPublish').composite as boolean;
    };
    registry
      ?.load(PLUGIN_ID)
      .then(settings => {
        onSettings(settings);
        settings.changed.connect(onSettings);
      })
      .catch(reason => {
        console.error(`Failed to load the settings of ${PLUGIN_ID}`, reason);
      });

    const { contents } = app.serviceManager;
    // One for each document, in however many tabs it is open; it ends with the document.
    const savers = new WeakMap<
      DocumentRegistry.IContext<INotebookModel>,
      Promise<NotebookSaver>
    >();
    const watch = async (
      context: DocumentRegistry.IContext<INotebookModel>
    ) => {
      const { NotebookSaver } = await import('../save/saver');
      return new NotebookSaver(
        context,
        () => isEnabled && serverPath(contents, context.path) !== null
      );
    };
    notebooks.widgetAdded.connect((_, { context }: NotebookPanel) => {
      if (!savers.has(context)) {
        savers.set(context, watch(context));
      }
    });
  }
};

export default plugin;
