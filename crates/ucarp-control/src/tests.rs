mod idl;
mod talk;
