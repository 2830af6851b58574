//! Nothing: the manifest beside this names a package whose test vectors are used.
