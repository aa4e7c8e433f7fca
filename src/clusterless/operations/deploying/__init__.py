"""Deploying without a Pulumi project: what ``pulumi up`` does of a program, done of a pipeline's file.

Pulumi's engine does the work, through its Automation API: it computes the difference, makes it, and keeps the state. What is
added is what a person at a terminal needs: everything that can be known to fail is looked at first, what is shown is what is
done, and an end in the middle says how to go on::

    target      the seam to a provider: names, checks, the program; and who owns a deployment
    settings    deploy.toml: what a declaration does not say
    steps       the engine's events → steps and failures, as frozen data
    failing     what the engine says when it fails → errors that say what to do
    command     the engine's binary as a process, and interrupts
    engine      one stack and the engine: preview, up, destroy, what an earlier end left behind
    deploy      the sequences: deploy, destroy, adopt, and a placement's bootstrap and its end

Nothing here imports a provider, and Pulumi only inside functions.
"""
