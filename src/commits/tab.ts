// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { MainAreaWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { UUID } from '@lumino/coreutils';

import type { ApiClient } from '../api/client';
import { WORKSPACE } from '../follow';
import { setLink } from '../links/tabs';
import { CommitsModel } from './model';
import { CommitsWidget } from './widget';

/**
 * Make the tab of a workspace's commits and have it read them.
 */
export function createCommitsTab(options: {
  client: ApiClient;
  commands: CommandRegistry;
  workspace: string;
  name: string;
  commit: string;
  trans: TranslationBundle;
}): MainAreaWidget<CommitsWidget> {
  const { client, commands, commit, name, trans, workspace } = options;
  const model = new CommitsModel(client, workspace);
  const content = new CommitsWidget({ model, commands, name, trans });
  const tab = new MainAreaWidget({ content });
  tab.id = `dotscience-commits-${UUID.uuid4()}`;
  tab.addClass('jp-DotscienceMain');
  tab.node.dataset[WORKSPACE] = workspace;
  tab.title.closable = true;
  tab.toolbar.hide();
  setLink(tab, () => ({
    view: 'commits',
    parts: { workspace, commit: model.selected?.id ?? '' }
  }));
  void model.load().then(() => (commit ? model.choose(commit) : undefined));
  return tab;
}
