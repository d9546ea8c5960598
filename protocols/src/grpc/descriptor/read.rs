//! Reads a set of files: first whether all are there, then what they mean.

use std::collections::HashSet;
use std::sync::Arc;

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use prost_reflect::{DescriptorPool, ServiceDescriptor};

use super::{Fault, Limits, Method, Service, builtin, rule};

/// The types of a set.
pub(super) fn types(set: &[u8], limits: Limits) -> Result<DescriptorPool, Fault> {
    if set.len() > limits.bytes {
        return Err(Fault::TooLong {
            length: set.len(),
            max: limits.bytes,
        });
    }
    let read = FileDescriptorSet::decode(set).map_err(|fault| Fault::NotASet {
        why: fault.to_string(),
    })?;
    if read.file.len() > limits.files {
        return Err(Fault::TooManyFiles {
            files: read.file.len(),
            max: limits.files,
        });
    }
    // One set after the other is the set of both. What was read has lost the options of methods,
    // so it is the bytes that are put together.
    let mut whole = set.to_vec();
    for file in missing(&read.file)? {
        let set = FileDescriptorSet { file: vec![file] };
        whole.extend(set.encode_to_vec());
    }
    let mut types = DescriptorPool::new();
    types
        .decode_file_descriptor_set(&*whole)
        .map_err(|fault| Fault::File {
            file: fault.file().map(str::to_owned),
            why: fault.to_string(),
        })?;
    Ok(types)
}

/// The files that are imported and not there, but known here.
fn missing(files: &[FileDescriptorProto]) -> Result<Vec<FileDescriptorProto>, Fault> {
    let mut there: HashSet<&str> = files.iter().map(FileDescriptorProto::name).collect();
    let mut added = Vec::new();
    let imports = |file: &FileDescriptorProto| {
        let name = file.name().to_owned();
        let imports = file.dependency.iter().cloned();
        imports
            .map(|import| (name.clone(), import))
            .collect::<Vec<_>>()
    };
    let mut open: Vec<_> = files.iter().flat_map(imports).collect();
    // Details of errors come in it, whatever a set is about.
    open.push((String::new(), "google/protobuf/any.proto".into()));
    while let Some((file, import)) = open.pop() {
        if there.contains(&*import) {
            continue;
        }
        let Some(found) = builtin::file(&import) else {
            return Err(Fault::MissingImport { file, import });
        };
        there.insert(found.name());
        open.extend(imports(found));
        added.push(found.clone());
    }
    Ok(added)
}

/// A service with its methods and their rules.
pub(super) fn service(service: &ServiceDescriptor) -> Result<Service, Fault> {
    let name = service.full_name();
    let methods = service.methods().map(|method| {
        let path = format!("/{name}/{}", method.name());
        Ok(Arc::new(Method {
            service: name.to_owned(),
            name: method.name().to_owned(),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            only_reads: rule::only_reads(&method),
            rules: rule::read(&method, &path)?,
            input: method.input(),
            output: method.output(),
            path,
        }))
    });
    Ok(Service {
        name: name.to_owned(),
        methods: methods.collect::<Result<_, _>>()?,
    })
}
