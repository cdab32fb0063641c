from .relations import Relation, get_relations, install_extension, set_relations

__version__ = "0.1.0"
__all__ = ["Relation", "get_relations", "install_extension", "set_relations"]

install_extension()
