// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

/**
 * The lines that publish a first run; they run as they are in any Python kernel.
 */
export const EXAMPLE_CODE = `import dotscience as ds

ds.start()
learning_rate = ds.parameter("learning_rate", 0.01)

# train here, then say how good it is
ds.metric("accuracy", 0.95)

ds.publish("My first run")
`;
