// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { LabIcon } from '@jupyterlab/ui-components';

import commitSvg from '../style/icons/commit.svg';
import compareSvg from '../style/icons/compare.svg';
import datasetSvg from '../style/icons/dataset.svg';
import dotscienceSvg from '../style/icons/dotscience.svg';
import explorerSvg from '../style/icons/explorer.svg';
import hubSvg from '../style/icons/hub.svg';
import mergeSvg from '../style/icons/merge.svg';
import restoreSvg from '../style/icons/restore.svg';
import runSvg from '../style/icons/run.svg';

/** The icon of the extension: a run that branches from another. */
export const dotscienceIcon = new LabIcon({
  name: 'dotscience:dotscience',
  svgstr: dotscienceSvg
});

/** A run. */
export const runIcon = new LabIcon({ name: 'dotscience:run', svgstr: runSvg });

/** Two runs side by side. */
export const compareIcon = new LabIcon({
  name: 'dotscience:compare',
  svgstr: compareSvg
});

/** A commit. */
export const commitIcon = new LabIcon({
  name: 'dotscience:commit',
  svgstr: commitSvg
});

/** Going back to the files of a run. */
export const restoreIcon = new LabIcon({
  name: 'dotscience:restore',
  svgstr: restoreSvg
});

/** Two histories that become one. */
export const mergeIcon = new LabIcon({
  name: 'dotscience:merge',
  svgstr: mergeSvg
});

/** Runs as points of a chart. */
export const explorerIcon = new LabIcon({
  name: 'dotscience:explorer',
  svgstr: explorerSvg
});

/** What commits are sent to. */
export const hubIcon = new LabIcon({ name: 'dotscience:hub', svgstr: hubSvg });

/** A versioned folder of its own. */
export const datasetIcon = new LabIcon({
  name: 'dotscience:dataset',
  svgstr: datasetSvg
});
