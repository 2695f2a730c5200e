"""The command line, one module a family of commands. Stages are imported inside commands, so that help is quick."""
