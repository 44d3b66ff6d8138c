// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { parseDrivePath } from '../drive/paths';
import { serverPath } from '../follow';
import type { NotebookMarkers } from '../provenance/markers';
import type { RecordedRuns } from '../provenance/recorded';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

const PLUGIN_ID = 'dotscience-jupyter:markers';

/**
 * Markers on cells that published runs.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows on the cells of notebooks which runs they published.',
  autoStart: true,
  requires: [IWorkspaceTracker, INotebookTracker],
  optional: [ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    notebooks: INotebookTracker,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const { commands, serviceManager } = app;
    const { contents } = serviceManager;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const marked = new Map<NotebookPanel, NotebookMarkers>();
    let enabled = true;
    let recorded: RecordedRuns | null = null;

    const workspaceOf = (panel: NotebookPanel): string => {
      const { path } = panel.context;
      return (
        parseDrivePath(path)?.workspace ??
        PathExt.dirname(contents.localPath(path))
      );
    };

    /** What the records know of the notebook's cells, if it is in the workspace at hand. */
    const readRecorded = async (panel: NotebookPanel): Promise<void> => {
      const { RecordedRuns } = await import('../provenance/recorded');
      const { toFolderPath } = await import('../provenance/paths');
      const { workspace } = workspaces;
      const path = serverPath(contents, panel.context.path);
      const file =
        workspace && path !== null ? toFolderPath(workspace, path) : null;
      if (!workspace || file === null) {
        return;
      }
      recorded ??= new RecordedRuns(workspaces.client);
      try {
        const runs = await recorded.ofNotebook(workspace.path, file);
        marked.get(panel)?.setRecorded(runs);
      } catch {
        // the panel of runs tells what is wrong; outputs are marked all the same
      }
    };

    const mark = async (panel: NotebookPanel): Promise<void> => {
      await panel.revealed;
      await panel.context.ready;
      const { NotebookMarkers } = await import('../provenance/markers');
      if (!enabled || panel.isDisposed || marked.has(panel)) {
        return;
      }
      marked.set(
        panel,
        new NotebookMarkers({
          panel,
          openRun: run => {
            if (commands.hasCommand(CommandIDs.openRun)) {
              void commands.execute(CommandIDs.openRun, {
                run,
                workspace: workspaceOf(panel)
              });
            }
          },
          trans
        })
      );
      panel.disposed.connect(() => {
        marked.delete(panel);
      });
      await readRecorded(panel);
    };

    const setEnabled = (value: boolean): void => {
      enabled = value;
      if (enabled) {
        notebooks.forEach(panel => void mark(panel));
      } else {
        marked.forEach(markers => markers.dispose());
        marked.clear();
      }
    };

    const readAll = (): void => {
      marked.forEach((_, panel) => void readRecorded(panel));
    };
    workspaces.runsChanged.connect(readAll);
    let workspace = workspaces.workspace?.id;
    workspaces.workspaceChanged.connect((_, now) => {
      if (now?.id !== workspace) {
        workspace = now?.id;
        readAll();
      }
    });
    notebooks.widgetAdded.connect((_, panel) => {
      if (enabled) {
        void mark(panel);
      }
    });
    notebooks.forEach(panel => void mark(panel));
    registry
      ?.load(PLUGIN_ID)
      .then(settings => {
        const onSettings = (): void => {
          setEnabled(settings.get('enabled').composite !== false);
        };
        onSettings();
        settings.changed.connect(onSettings);
      })
      .catch((reason: unknown) => {
        console.error(`Failed to load the settings of ${PLUGIN_ID}`, reason);
      });
  }
};

export default plugin;
