// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { ApiClient } from '../api/client';
import type { Workspace } from '../api/schema';
import { CommandIDs } from '../commands';
import { WORKSPACE } from '../follow';
import type { ILink } from '../links/link';
import { setLink } from '../links/tabs';
import { chooseMoment } from './choose';
import { DifferenceClient } from './client';
import { Highlighter } from './highlight';
import { followNow } from './live';
import { DifferenceModel } from './model';
import type { DifferenceOptions } from './options';
import { FileReader, NOW, contentsPath } from './reader';
import type { IDifferenceActions } from './view';
import { DifferenceWidget } from './widget';

/**
 * Make a tab of differences and have it read them.
 */
export function createDifferenceTab(options: {
  app: JupyterFrontEnd;
  client: ApiClient;
  workspace: Pick<Workspace, 'path' | 'prefix'>;
  old: string;
  newer: string;
  file?: string;
  options: DifferenceOptions;
  rendermime: IRenderMimeRegistry | null;
  languages: IEditorLanguageRegistry | null;
  trans: TranslationBundle;
}): MainAreaWidget<DifferenceWidget> {
  const { app, client, workspace, rendermime, languages, trans } = options;
  const { commands } = app;
  const { contents, events } = app.serviceManager;
  const root = workspace.path;
  const execute = (id: string, args: ReadonlyPartialJSONObject): void => {
    void commands.execute(id, args);
  };
  const openNow = (file: string): void => {
    const path = contentsPath(workspace, file);
    if (path !== null) {
      execute('docmanager:open', { path });
    }
  };
  const actions: IDifferenceActions = {
    openRun: run => execute(CommandIDs.openRun, { run, workspace: root }),
    openFile: (ref, path) => {
      if (ref === NOW) {
        openNow(path);
      } else {
        execute(CommandIDs.openFileAtCommit, {
          commit: ref,
          path,
          workspace: root
        });
      }
    },
    openHistory: commands.hasCommand(CommandIDs.openHistory)
      ? file => {
          const path = contentsPath(workspace, file);
          if (path !== null) {
            execute(CommandIDs.openHistory, { file: path });
          }
        }
      : null,
    chooseMoment: label =>
      chooseMoment({
        client,
        workspace: root,
        title: trans.__('Compare two moments'),
        label,
        now: true,
        trans
      }),
    copyLink: () => {
      const { view, parts } = link();
      execute(CommandIDs.copyLink, { view, ...parts });
    }
  };
  const api = new DifferenceClient(client.serverSettings, root);
  const model = new DifferenceModel({
    client: api,
    reader: new FileReader(client, contents, workspace),
    options: options.options,
    old: options.old,
    newer: options.newer,
    file: options.file
  });
  const link = (): ILink => ({
    view: 'difference',
    parts: {
      workspace: root,
      old: model.old,
      new: model.newer,
      file: model.path ?? ''
    }
  });
  const content = new DifferenceWidget({
    model,
    options: options.options,
    actions,
    parts: {
      rendermime,
      blob: (blob, signal) => api.blob(blob, signal),
      highlighter: languages ? new Highlighter(languages) : null,
      trans
    },
    trans
  });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-difference-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = root;
  tab.title.closable = true;
  setLink(tab, link);
  tab.toolbar.hide();
  const following = followNow({ model, events, contents, root });
  tab.disposed.connect(() => following.dispose(), following);
  void model.load();
  return tab;
}
