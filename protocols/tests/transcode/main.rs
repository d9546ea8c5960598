//! gRPC's methods as HTTP and JSON: descriptors, templates, requests, answers, reflection.

mod answers;
mod descriptors;
mod failures;
mod fixture;
mod packed;
mod properties;
mod reflection;
mod requests;
mod routes;
mod shapes;
