package main

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// checkConsistency proves that each checkpoint continues the one before it, and that the newest continues all of them.
func checkConsistency(url, keyFile string, files []string) (string, error) {
	log, key, newest, err := openLog(url, keyFile)
	if err != nil {
		return "", err
	}
	heads, err := readCheckpoints(files, key)
	if err != nil {
		return "", err
	}
	heads = append(heads, newest)
	proofs := 0
	for at, head := range heads {
		following := []checkpoint{newest}
		if at+1 < len(heads) {
			following = append(following, heads[at+1])
		}
		for _, later := range following {
			if err := continues(log, head.tree, later.tree); err != nil {
				return "", err
			}
			proofs++
		}
	}
	smallest := heads[0].tree.N
	return fmt.Sprintf("%d proofs over %d checkpoints, sizes %d to %d", proofs, len(heads), smallest, newest.tree.N), nil
}

// continues proves from tiles that the older tree is the beginning of the later one.
func continues(log *remote, older, later tlog.Tree) error {
	what := fmt.Sprintf("from size %d to %d", older.N, later.N)
	if older.N > later.N {
		return refuse("%s: the log has become smaller", what)
	}
	if older.N == later.N {
		if older.Hash != later.Hash {
			return refuse("%s: two roots", what)
		}
		return nil
	}
	proof, err := tlog.ProveTree(later.N, older.N, tlog.TileHashReader(later, log))
	if err != nil {
		return asRefusal(err, what)
	}
	if err := tlog.CheckTree(proof, later.N, later.Hash, older.N, older.Hash); err != nil {
		return refuse("%s: %v", what, err)
	}
	return nil
}
