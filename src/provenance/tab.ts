// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IThemeManager } from '@jupyterlab/apputils';
import { MainAreaWidget, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { UUID } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';
import { Menu } from '@lumino/widgets';

import type { ApiClient } from '../api/client';
import { CommandIDs } from '../commands';
import { WORKSPACE } from '../follow';
import type { ILink } from '../links/link';
import { setLink } from '../links/tabs';
import { ProvenanceClient } from './client';
import type { SaveFormat } from './export';
import { LineagesModel, LineagesWidget } from './lineages';
import { ProvenanceModel } from './model';
import { toContentsPath } from './paths';
import type { IProvenanceActions } from './sheet';
import { ProvenanceWidget } from './widget';

const FORMATS: SaveFormat[] = ['png', 'svg', 'prov', 'openlineage', 'dot'];

/**
 * What both kinds of tabs need.
 */
interface ITabOptions {
  client: ApiClient;
  commands: JupyterFrontEnd['commands'];
  workspace: string;
  trans: TranslationBundle;
}

/**
 * Make a provenance tab and have it read the graph.
 */
export function createProvenanceTab(
  options: ITabOptions &
    ProvenanceModel.IOptions & { themeManager: IThemeManager | null }
): MainAreaWidget<ProvenanceWidget> {
  const { commands, workspace, themeManager, trans } = options;
  const execute = (id: string, args: ReadonlyPartialJSONObject): void => {
    void commands.execute(id, { workspace, ...args });
  };
  const actions: IProvenanceActions = {
    openRun: (run, where) =>
      execute(CommandIDs.openRun, { run, workspace: where }),
    openFile: (commit, path, where) =>
      execute(CommandIDs.openFileAtCommit, { commit, path, workspace: where }),
    openHistory: (path, where) => {
      void openHistory({ ...options, workspace: where }, path);
    },
    compareLineages: (a, b) => execute(CommandIDs.compareLineages, { a, b }),
    startTracking: () => {
      void commands
        .execute(CommandIDs.startTracking, { path: workspace })
        .then(() => (model.isDisposed ? undefined : model.load()));
    }
  };
  const model = new ProvenanceModel(options);
  const link = (): ILink => ({
    view: 'provenance',
    parts: {
      workspace,
      start: model.query.start,
      direction: model.query.direction,
      depth: String(model.query.depth),
      as: model.view
    }
  });
  const content = new ProvenanceWidget({
    model,
    actions,
    onExport: place => openExportMenu(commands, place),
    onLink: () => copyLink(commands, link()),
    themeManager,
    trans
  });
  void model.load();
  return finishTab(content, workspace, link);
}

/**
 * Make the tab of a comparison of lineages and have it read the comparison.
 */
export function createLineagesTab(
  options: ITabOptions & { a: string; b: string }
): MainAreaWidget<LineagesWidget> {
  const { client, commands, workspace, a, b, trans } = options;
  const link = (): ILink => ({ view: 'lineages', parts: { workspace, a, b } });
  const model = new LineagesModel(
    new ProvenanceClient(client.serverSettings, workspace),
    a,
    b
  );
  const content = new LineagesWidget(
    model,
    {
      openFile: (commit, path) => {
        void commands.execute(CommandIDs.openFileAtCommit, {
          commit,
          path,
          workspace
        });
      },
      openProvenance: start => {
        void commands.execute(CommandIDs.openProvenance, { start, workspace });
      },
      copyLink: () => copyLink(commands, link())
    },
    trans
  );
  void model.load();
  return finishTab(content, workspace, link);
}

function finishTab<T extends Widget>(
  content: T,
  workspace: string,
  link: () => ILink
): MainAreaWidget<T> {
  const tab = new MainAreaWidget<T>({ content });
  tab.id = `dotscience-provenance-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = workspace;
  tab.title.closable = true;
  setLink(tab, link);
  return tab;
}

function copyLink(
  commands: JupyterFrontEnd['commands'],
  { view, parts }: ILink
): void {
  void commands.execute(CommandIDs.copyLink, { view, ...parts });
}

async function openHistory(options: ITabOptions, path: string): Promise<void> {
  const { client, commands, workspace, trans } = options;
  const answer = await client.workspace(workspace);
  const file = answer.workspace && toContentsPath(answer.workspace, path);
  if (file) {
    await commands.execute(CommandIDs.openHistory, { file });
  } else {
    Notification.info(
      trans.__(
        '%1 lies outside of what this server shows, so its history cannot be opened here.',
        path
      )
    );
  }
}

/**
 * Ask in which form the graph is to be saved.
 */
function openExportMenu(
  commands: JupyterFrontEnd['commands'],
  place: HTMLElement
): void {
  const menu = new Menu({ commands });
  for (const format of FORMATS) {
    menu.addItem({ command: CommandIDs.exportProvenance, args: { format } });
  }
  menu.aboutToClose.connect(() => {
    // its command is executed right after it closed
    window.setTimeout(() => menu.dispose());
    place.focus();
  });
  const { left, bottom } = place.getBoundingClientRect();
  menu.open(left, bottom);
}
