"""The plugin that Pulumi's engine starts for the component ``clusterless:Pipeline``."""

from clusterless.providers.aws.plugin import serve

serve()
