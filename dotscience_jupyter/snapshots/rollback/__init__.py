# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Making the live folder what it was, for every engine in the same way.

First the folder is frozen, so nothing can be lost. Then it is compared with the snapshot and
everything that would have to go without being frozen is refused. Only then what differs is
restored into a folder beside and put into place by renames, so that each file is the old or the
new one at any instant; what must go goes last.

Names of one file (hard links) are one file again where all of them are written anew; an entry does
not tell of the others, so a single one that is written anew is a file of its own.
"""

from .going_back import rollback

__all__ = ["rollback"]
