// Verifies a served log with the Go team's golang.org/x/mod/sumdb/{note,tlog}, and nothing of Callgate's.
//
// usage: verify_go DIRECTORY VKEY [SAVED_CHECKPOINT]
//
// Opens the checkpoint, authenticates every tile against it, holds every entry of every bundle against the
// authenticated tiles, proves and checks one record, and, if there is a saved checkpoint, that the log still begins
// with what that one signs. Exit 0 if all holds.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type tiles struct{ root string }

func (t tiles) Height() int { return 8 }

// c2sp.org/tlog-tiles leaves out the height that the checksum database puts into its paths.
func (t tiles) path(tile tlog.Tile) string {
	return filepath.Join(t.root, "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))
}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		bytes, err := os.ReadFile(t.path(tile))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func checkpoint(path string, verifiers note.Verifiers) (tlog.Tree, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(bytes, verifiers)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 {
		return tlog.Tree{}, errors.New("a checkpoint has three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func entries(root string, number int64, count int) ([][]byte, error) {
	tile := tlog.Tile{H: 8, L: 0, N: number, W: count}
	path := strings.TrimPrefix(tile.Path(), "tile/8/0/")
	bytes, err := os.ReadFile(filepath.Join(root, "tile", "entries", path))
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(bytes) > 0 {
		if len(bytes) < 2 || len(bytes) < 2+int(binary.BigEndian.Uint16(bytes)) {
			return nil, errors.New("an entry bundle is cut off")
		}
		length := 2 + int(binary.BigEndian.Uint16(bytes))
		found = append(found, bytes[2:length])
		bytes = bytes[length:]
	}
	if len(found) != count {
		return nil, fmt.Errorf("bundle %d has %d entries, not %d", number, len(found), count)
	}
	return found, nil
}

func verify(root, vkey, saved string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	verifiers := note.VerifierList(verifier)
	tree, err := checkpoint(filepath.Join(root, "checkpoint"), verifiers)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, tiles{root})
	for number := int64(0); number*256 < tree.N; number++ {
		count := tree.N - number*256
		if count > 256 {
			count = 256
		}
		bundle, err := entries(root, number, int(count))
		if err != nil {
			return err
		}
		var indexes []int64
		for at := range bundle {
			indexes = append(indexes, tlog.StoredHashIndex(0, number*256+int64(at)))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for at, entry := range bundle {
			if tlog.RecordHash(entry) != hashes[at] {
				return fmt.Errorf("record %d is not what was signed", number*256+int64(at))
			}
		}
		if number == tree.N/512 {
			index := number * 256
			proof, err := tlog.ProveRecord(tree.N, index, reader)
			if err != nil {
				return err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(bundle[0])); err != nil {
				return err
			}
		}
	}
	if saved == "" {
		return nil
	}
	old, err := checkpoint(saved, verifiers)
	if err != nil {
		return err
	}
	if old.N > tree.N {
		return fmt.Errorf("the log has %d records, the saved checkpoint %d: rolled back", tree.N, old.N)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func main() {
	saved := ""
	if len(os.Args) > 3 {
		saved = os.Args[3]
	}
	if err := verify(os.Args[1], os.Args[2], saved); err != nil {
		fmt.Fprintln(os.Stderr, "rejected:", err)
		os.Exit(1)
	}
	fmt.Println("accepted")
}
