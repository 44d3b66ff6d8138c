// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The ids of all commands of the extension.
 *
 * Arguments are described by each command's `describedBy`. A `workspace` argument is
 * always the contents path of the workspace's root or of anything below it; without it
 * the workspace at hand is meant.
 */
export namespace CommandIDs {
  /** Show the side panel. */
  export const openPanel = 'dotscience:open-panel';

  /** Make a folder a workspace: `{path?, force?}`. */
  export const startTracking = 'dotscience:start-tracking';

  /** Save open documents and commit: `{description?}`. */
  export const commit = 'dotscience:commit';

  /** Read the workspace's state from the server again. */
  export const refresh = 'dotscience:refresh';

  /** Open a run's tab: `{run, workspace?}`. */
  export const openRun = 'dotscience:open-run';

  /** Open the notebook as it was when the run was made: `{run, workspace?}`. */
  export const openNotebookAtRun = 'dotscience:open-notebook-at-run';

  /** Open a file as it was in a commit: `{commit, path, workspace?, factory?}`. */
  export const openFileAtCommit = 'dotscience:open-file-at-commit';

  /** Compare two runs side by side: `{a, b, workspace?}`. */
  export const compareRuns = 'dotscience:compare-runs';

  /** Write the files of a run's commit to a new folder: `{run, workspace?, to?}`. */
  export const restoreRun = 'dotscience:restore-run';

  /** Make the files of the workspace what they were when a run was made: `{run, workspace?}`. */
  export const goBack = 'dotscience:go-back';

  /** Copy a run's id to the clipboard: `{run}`. */
  export const copyRunId = 'dotscience:copy-run-id';

  /** Copy a few lines that publish a first run to the clipboard. */
  export const copyExampleCode = 'dotscience:copy-example-code';

  /** Open the metric explorer: `{workspace?, where?, run?}`. */
  export const openExplorer = 'dotscience:open-explorer';

  /** Copy a link to a view to the clipboard: `{view, ...}`; without arguments to the tab at hand. */
  export const copyLink = 'dotscience:copy-link';

  /** Copy a link to a run to the clipboard: `{run, workspace?}`. */
  export const copyRunLink = 'dotscience:copy-run-link';

  /** Open the provenance graph: `{start?, direction?, workspace?}`. */
  export const openProvenance = 'dotscience:open-provenance';

  /** Compare the lineages of two runs, files or models: `{a, b, workspace?}`. */
  export const compareLineages = 'dotscience:compare-lineages';

  /** Save the graph of the provenance tab at hand as a file: `{format}`. */
  export const exportProvenance = 'dotscience:export-provenance';

  /** Show where a file came from: `{file?}`, a contents path. */
  export const whereFrom = 'dotscience:where-from';

  /** Compare two moments, file by file: `{old, new, file?, workspace?}`. */
  export const openDifference = 'dotscience:open-difference';

  /** Show what changed since the newest commit: `{workspace?}`. */
  export const showChanges = 'dotscience:show-changes';

  /** Take the changes of another commit in, or go on with it: `{theirs?, workspace?}`. */
  export const openMerge = 'dotscience:open-merge';

  /** Show the versions of a file: `{file?}`, a contents path. */
  export const openHistory = 'dotscience:open-history';

  /** Show the commits of a workspace: `{commit?, workspace?}`. */
  export const openCommits = 'dotscience:open-commits';

  /** Show all files of a commit or a run in a file browser: `{commit?, run?, workspace?}`. */
  export const browseCommit = 'dotscience:browse-commit';

  /** Compare a commit with the one before it: `{commit, workspace?}`. */
  export const compareWithPrevious = 'dotscience:compare-with-previous';

  /** Write files of a commit to a new folder: `{commit, paths?, workspace?, to?}`. */
  export const restoreCommit = 'dotscience:restore-commit';

  /** Write what is chosen in the file browser of a commit to a new folder. */
  export const restoreChosen = 'dotscience:restore-chosen';

  /** Copy a file of a commit to work on it: `{commit, path, workspace?}`. */
  export const scratchCopy = 'dotscience:scratch-copy';

  /** Put a file of a commit in the place of the present one: `{commit, path, to?, workspace?}`. */
  export const bringBack = 'dotscience:bring-back';

  /** Let the workspace at hand belong to a hub, or log in there again. */
  export const connectHub = 'dotscience:connect-hub';

  /** Forget who the user is on the hub of the workspace at hand. */
  export const logOut = 'dotscience:log-out';

  /** Let the workspace at hand belong to no hub. */
  export const disconnectHub = 'dotscience:disconnect-hub';

  /** Send the hub every commit that it does not have. */
  export const push = 'dotscience:push';

  /** Take the hub's new commits, without touching a file. */
  export const fetch = 'dotscience:fetch';

  /** Take the hub's new commits and their files. */
  export const pull = 'dotscience:pull';

  /** Make a new folder with a project of a hub: `{address?, folder?}`. */
  export const cloneProject = 'dotscience:clone-project';

  /** Stop a clone that is under way, or tell of it no more: `{clone}`. */
  export const endClone = 'dotscience:end-clone';

  /** Go to the folder of a project that was cloned: `{clone}`. */
  export const openClone = 'dotscience:open-clone';

  /** Let a dataset appear in the workspace at hand. */
  export const attachDataset = 'dotscience:attach-dataset';

  /** Make a dataset of a folder, and attach it. */
  export const createDataset = 'dotscience:create-dataset';

  /** Attach another version of an attached dataset: `{dataset, version?}`. */
  export const useDatasetVersion = 'dotscience:use-dataset-version';

  /** Take a dataset out of the workspace at hand: `{dataset}`. */
  export const detachDataset = 'dotscience:detach-dataset';

  /** Bring the newest version of a dataset from its hub: `{dataset}`. */
  export const fetchDataset = 'dotscience:fetch-dataset';

  /** Attach again what the workspace's file says: `{dataset?}`. */
  export const restoreDatasets = 'dotscience:restore-datasets';

  /** Make a version of a dataset's live folder: `{dataset}`. */
  export const saveDataset = 'dotscience:save-dataset';

  /** Show the folder of a dataset in the file browser: `{dataset}`. */
  export const showDataset = 'dotscience:show-dataset';

  /** End what is done with a dataset. */
  export const stopDatasets = 'dotscience:stop-datasets';
}
