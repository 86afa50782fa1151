//! The record batch v2: the one format that producers encode and everybody else passes on byte for byte.
