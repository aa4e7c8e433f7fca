"""What this costs: the budgets that the design holds the local provider to, measured beside a baseline in the same run.

``python -m benchmarks`` (or ``make bench``) prints them; README.md says what is measured, how, and what came out.

* :mod:`measuring`: a subject runs in a process of its own (:mod:`child`), and tells what it took.
* :mod:`figures`: what is printed: a figure, its budget, its baseline.
* one module for each family of budgets: :mod:`overhead` (with :mod:`steps`, :mod:`loops`, :mod:`pipelines` and :mod:`peers`,
  which do the same work), :mod:`calls`, :mod:`starting`, :mod:`reports`, :mod:`manifests`, :mod:`declarations`, :mod:`demo`.
* :mod:`aws`: what holds on AWS: :mod:`functions` (on :mod:`interface`), :mod:`chain`, :mod:`cloud`, :mod:`idle`, :mod:`graphs`.

No test asserts a time: machines differ, and a busy one is no defect of the code.
"""
