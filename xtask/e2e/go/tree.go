package main

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// checkTree opens the newest checkpoint and proves every entry of the bundles to be under it.
//
// TileHashReader is not relied on: up to x/mod 0.39 it takes some full tiles as they come (CVE-2026-56865). So each proof
// that is made from tiles is computed again up to the root that is signed.
func checkTree(url, keyFile string) (string, error) {
	log, _, head, err := openLog(url, keyFile)
	if err != nil {
		return "", err
	}
	tree := head.tree
	reader := tlog.TileHashReader(tree, log)
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return "", asRefusal(err, "the root from tiles")
	}
	if root != tree.Hash {
		return "", refuse("the root from tiles is %v, and %v is signed", root, tree.Hash)
	}
	for index := int64(0); index < tree.N; {
		entries, err := log.bundle(index/(1<<height), tree.N)
		if err != nil {
			return "", err
		}
		for _, entry := range entries {
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return "", asRefusal(err, fmt.Sprintf("the proof of entry %d", index))
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
				return "", refuse("entry %d: %v", index, err)
			}
			index++
		}
	}
	return fmt.Sprintf("signature, root and inclusion of all %d entries", tree.N), nil
}
