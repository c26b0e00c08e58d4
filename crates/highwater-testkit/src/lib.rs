//! Memory store, conformance laws and fault injection for Highwater.
