select highwater.probe_append()
