"""What a study says, computed only from the files of its runs.

``collect`` reads folders, ``candidates`` names what is compared, ``analysis`` makes the plain dictionary that
is ``report.json``, ``figures`` and ``page`` show it and compute nothing, ``write`` puts it on disk.
"""
