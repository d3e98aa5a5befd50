"""The plugin as a component: only imported inside one."""
