// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard, ICommandPalette } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { copyIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../commands';
import { dotscienceIcon } from '../icons';
import { EXAMPLE_CODE } from '../panel/example';
import { RunMenu } from '../panel/menu';
import { OLDEST, PanelModel } from '../panel/model';
import { DotsciencePanel } from '../panel/widget';
import {
  IDatasetsState,
  IHubState,
  IWorkspaceTracker,
  TRANSLATION_DOMAIN
} from '../tokens';

const PLUGIN_ID = 'dotscience-jupyter:panel';

/**
 * Adds the side panel with the runs of the workspace at hand.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Adds the side panel with the runs of the workspace at hand.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ILayoutRestorer,
    ICommandPalette,
    ISettingRegistry,
    ITranslator,
    IHubState,
    IDatasetsState
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: IWorkspaceTracker,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null,
    hub: IHubState | null,
    datasets: IDatasetsState | null
  ) => {
    const { commands, shell } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const model = new PanelModel(tracker, trans);
    const menu = new RunMenu(commands, model);
    const panel = new DotsciencePanel({
      model,
      commands,
      language: languageOf(translator),
      trans,
      hub,
      datasets,
      onMenu: (run, x, y) => menu.open(run, x, y)
    });

    const onSettings = (settings: ISettingRegistry.ISettings) => {
      model.setMetrics(settings.get('metrics').composite as string[]);
      const sort = settings.get('sort').composite as string;
      model.setSort(sort === 'oldest' ? OLDEST : '');
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

    commands.addCommand(CommandIDs.openPanel, {
      label: args =>
        args.isMenu ? trans.__('Dotscience') : trans.__('Show Runs Panel'),
      caption: trans.__('Show the runs of the workspace at hand'),
      icon: args => (args.isMenu ? undefined : dotscienceIcon),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            isMenu: {
              type: 'boolean',
              description: trans.__('Whether a menu shows the command')
            }
          }
        }
      },
      execute: () => shell.activateById(panel.id)
    });

    commands.addCommand(CommandIDs.copyExampleCode, {
      label: trans.__('Copy Example Code'),
      caption: trans.__('Copy a few lines that publish a first run'),
      icon: copyIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => Clipboard.copyToSystem(EXAMPLE_CODE)
    });

    commands.addCommand(CommandIDs.copyRunId, {
      label: trans.__('Copy Run Id'),
      caption: trans.__("Copy a run's id to the clipboard"),
      icon: copyIcon,
      isEnabled: args =>
        typeof args.run === 'string' || model.selected.length === 1,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            run: {
              type: 'string',
              description: trans.__(
                "The run's id; that of the run chosen in the panel when absent"
              )
            }
          }
        }
      },
      execute: args => {
        const run = (args.run as string | undefined) ?? model.selected[0];
        if (run) {
          Clipboard.copyToSystem(run);
        }
      }
    });
    model.changed.connect(() => {
      commands.notifyCommandChanged(CommandIDs.copyRunId);
    });

    const category = trans.__('Dotscience');
    for (const command of [
      CommandIDs.openPanel,
      CommandIDs.copyExampleCode,
      CommandIDs.copyRunId
    ]) {
      palette?.addItem({ command, category });
    }

    shell.add(panel, 'left', { rank: 350, type: 'Dotscience' });
    restorer?.add(panel, DotsciencePanel.ID);
  }
};

export default plugin;

/**
 * The language of the interface; only some translators tell it.
 */
function languageOf(translator: ITranslator | null): string {
  const { languageCode } = (translator ?? {}) as { languageCode?: string };
  return languageCode ?? 'en';
}
