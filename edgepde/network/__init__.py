"""The family `network`: any network the certificate can read, as a torch module and as a run folder."""
