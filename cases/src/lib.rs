//! The catalogue of TCP endings as test cases.
