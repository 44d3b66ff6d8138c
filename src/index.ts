// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import commitsPlugin from './plugins/commits';
import comparePlugin from './plugins/compare';
import datasetsPlugin from './plugins/datasets';
import differencePlugin from './plugins/difference';
import { drivePlugin, openPlugin } from './plugins/drive';
import explorerPlugin from './plugins/explorer';
import historyPlugin from './plugins/history';
import linksPlugin from './plugins/links';
import markersPlugin from './plugins/markers';
import mergePlugin from './plugins/merge';
import panelPlugin from './plugins/panel';
import provenancePlugin from './plugins/provenance';
import { cardPlugin, runTextPlugin } from './plugins/renderers';
import runPlugin from './plugins/run';
import savePlugin from './plugins/save';
import statusBarPlugin from './plugins/statusbar';
import { hubStatusPlugin, syncPlugin } from './plugins/sync';
import workspacePlugin from './plugins/workspace';

export { ApiClient, ApiError } from './api/client';
export { CommandIDs } from './commands';
export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  workspacePlugin,
  panelPlugin,
  statusBarPlugin,
  savePlugin,
  runPlugin,
  comparePlugin,
  drivePlugin,
  openPlugin,
  explorerPlugin,
  provenancePlugin,
  markersPlugin,
  differencePlugin,
  mergePlugin,
  historyPlugin,
  commitsPlugin,
  linksPlugin,
  syncPlugin,
  hubStatusPlugin,
  datasetsPlugin,
  cardPlugin,
  runTextPlugin
];

export default plugins;
